"""The radio server: a process that holds UHD. It must import nothing but the standard library, NumPy and `uhd`."""
