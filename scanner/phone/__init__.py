"""The page for a phone: lines of text from ``watch``, shown by a process that sees nothing else.

lines.py   what ``watch`` tells the page, and what the page may ask; limits of both
link.py    the side of ``watch``: a panel whose lamps are lines
ear.py     the side of the page: hears them
walk.py    this walk's finds, in memory only
codes.py   the code at the start, sessions, slowing down of guesses
server.py  HTTP
"""
