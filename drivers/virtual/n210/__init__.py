"""Virtual USRP N210s: control, settings and VITA-49 streaming over UDP, driven by the unmodified libuhd.

Facts about the wire were measured with UHD 4.3 or read in its documentation; no code of UHD is in here.
"""
