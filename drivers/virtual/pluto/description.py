"""A device as libiio describes it, in our own few words, and the XML that its clients read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

__all__ = ["Channel", "Device", "context_xml"]

# libiio's document type, without which its parser complains.
DOCUMENT_TYPE = """<!DOCTYPE context [
<!ELEMENT context (device | context-attribute)*><!ELEMENT context-attribute EMPTY>
<!ELEMENT device (channel | attribute | debug-attribute | buffer-attribute)*>
<!ELEMENT channel (scan-element?, attribute*)><!ELEMENT attribute EMPTY><!ELEMENT scan-element EMPTY>
<!ELEMENT debug-attribute EMPTY><!ELEMENT buffer-attribute EMPTY>
<!ATTLIST context name CDATA #REQUIRED description CDATA #IMPLIED>
<!ATTLIST context-attribute name CDATA #REQUIRED value CDATA #REQUIRED>
<!ATTLIST device id CDATA #REQUIRED name CDATA #IMPLIED>
<!ATTLIST channel id CDATA #REQUIRED type (input|output) #REQUIRED name CDATA #IMPLIED>
<!ATTLIST scan-element index CDATA #REQUIRED format CDATA #REQUIRED scale CDATA #IMPLIED>
<!ATTLIST attribute name CDATA #REQUIRED filename CDATA #IMPLIED>
<!ATTLIST debug-attribute name CDATA #REQUIRED><!ATTLIST buffer-attribute name CDATA #REQUIRED>
]>"""


@dataclass(frozen=True)
class Channel:
    """A channel of a device.

    Attributes:
        id: As in the protocol, such as voltage0.
        output: Whether it is an output.
        files: File name by attribute name; several channels may share a file.
        label: Its name, if it has one, such as TX_LO.
        scan: Index and format, if it carries samples.
    """

    id: str
    output: bool
    files: Mapping[str, str]
    label: str = ""
    scan: tuple[int, str] | None = None

    @property
    def direction(self) -> str:
        """The protocol's word for its direction."""
        return "OUTPUT" if self.output else "INPUT"


@dataclass(frozen=True)
class Device:
    """A device of a context.

    Attributes:
        id: As in the protocol, such as iio:device0.
        name: The driver's name, by which clients find it.
        channels: Its channels.
        attributes: Names of its own attributes; each is a file of that name.
        debug: Names of its debug attributes.
        buffer: Names of its buffer attributes.
    """

    id: str
    name: str
    channels: Sequence[Channel] = ()
    attributes: Sequence[str] = ()
    debug: Sequence[str] = ()
    buffer: Sequence[str] = ()
    scan_channels: int = field(init=False)

    def __post_init__(self) -> None:
        """Count the channels that carry samples."""
        object.__setattr__(self, "scan_channels", sum(channel.scan is not None for channel in self.channels))

    @property
    def mask_words(self) -> int:
        """Number of 32-bit words in the mask of its channels, those without samples counted too."""
        return -(-len(self.channels) // 32)

    def file(self, kind: str, channel: str, attribute: str) -> str | None:
        """Return the file behind an attribute as the protocol names it, or None if there is none."""
        if kind in ("DEBUG", "BUFFER", ""):
            names = {"DEBUG": self.debug, "BUFFER": self.buffer, "": self.attributes}[kind]
            return f"{kind.lower()}/{attribute}" if attribute in names else None  # own ones: "/name"
        for one in self.channels:
            if one.id == channel and one.direction == kind:
                return one.files.get(attribute)
        return None


def context_xml(description: str, attributes: Mapping[str, str], devices: Sequence[Device]) -> str:
    """Return the XML of a context, in libiio's document type."""
    inside = [f"<context-attribute name={quoteattr(k)} value={quoteattr(v)} />" for k, v in attributes.items()]
    inside += [_device(device) for device in devices]
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{DOCUMENT_TYPE}<context name="network" '
        f"description={quoteattr(description)} >"
        f"{''.join(inside)}</context>"
    )


def _device(device: Device) -> str:
    inside = [_channel(channel) for channel in device.channels]
    inside += [f"<attribute name={quoteattr(name)} />" for name in device.attributes]
    inside += [f"<debug-attribute name={quoteattr(name)} />" for name in device.debug]
    inside += [f"<buffer-attribute name={quoteattr(name)} />" for name in device.buffer]
    return f"<device id={quoteattr(device.id)} name={quoteattr(device.name)} >{''.join(inside)}</device>"


def _channel(channel: Channel) -> str:
    name = f" name={quoteattr(channel.label)}" if channel.label else ""
    scan = ""
    if channel.scan is not None:
        index, form = channel.scan
        scan = f'<scan-element index="{index}" format={quoteattr(form)} />'
    files = "".join(
        f"<attribute name={quoteattr(name)} filename={quoteattr(file)} />" for name, file in channel.files.items()
    )
    kind = "output" if channel.output else "input"
    return f'<channel id={quoteattr(channel.id)}{name} type="{kind}" >{scan}{files}</channel>'
