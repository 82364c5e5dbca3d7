"""The ADALM-Pluto: an AD9361-family transceiver behind libiio and pyadi-iio."""
