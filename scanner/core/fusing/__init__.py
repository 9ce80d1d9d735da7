"""Records of many passes -> cameras."""
