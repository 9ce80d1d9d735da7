"""Two cameras in the forms that pyosmium reads, as libosmium and osmconvert write them."""

import base64
from typing import Final

# Not compressed, so that the fuzzer sees what it changes.
PBF: Final = base64.b64decode(
    "AAAADQoJT1NNSGVhZGVyGDEKLyIOT3NtU2NoZW1hLVYwLjYiCkRlbnNlTm9kZXOCARBsaWJvc21pdW0vMi4yMy4x"
    "AAAACwoHT1NNRGF0YRhuCmwKLwoACgAKCG1hbl9tYWRlCgxzdXJ2ZWlsbGFuY2UKCWRpcmVjdGlvbgoGOTA7MTgw"
    "EjkSNwoCDgIqFAoCAgESAgAAGgIAACICAAAqAgIAQgiA4+LyA4CJekoHgLndLv+IelIIAgMEBQACAwA="
)
OPL: Final = (
    b"n7 v2 dV c0 t i0 u Tman_made=surveillance,direction=90;180 x4.9 y52.3\n"
    b"n8 v1 dV c0 t i0 u Tman_made=surveillance x4.8 y52.4\n"
)
# Head, node 7 at 52.3, 4.9 with one tag (wiki.openstreetmap.org/wiki/O5m): numbers zigzag.
O5M: Final = (
    b'\xff\xe0\x04o5m2\xff\x10"\x0e\x00\x80\xb9\xdd.\x80\xe3\xe2\xf2\x03'
    b"\x00man_made\x00surveillance\x00\xfe"
)
