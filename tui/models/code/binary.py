"""Binary files: recognized by their first bytes, and shown as bytes."""

from __future__ import annotations

HEAD = 512
"""Bytes that are shown."""

_LOOKED_AT = 8_000  # as far as git looks
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"%PDF-", "PDF document"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x7fELF", "ELF program or library"),
    (b"\xcf\xfa\xed\xfe", "Mach-O program or library"),
    (b"MZ", "Windows program or library"),
    (b"\xca\xfe\xba\xbe", "Java class or Mach-O program"),
    (b"\0asm", "WebAssembly module"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"wOF2", "WOFF2 font"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 sound"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


def is_binary(data: bytes) -> bool:
    """Return whether bytes are binary, by git's rule."""
    return b"\0" in data[:_LOOKED_AT]


def kind(data: bytes) -> str:
    """Return the kind of a file, by its first bytes."""
    if data[:4] == b"RIFF":
        return f"{data[8:12].decode('ascii', 'replace').strip()} media".replace(
            "WEBP media", "WebP image"
        )
    if data[257:262] == b"ustar":
        return "tar archive"
    return next((name for start, name in _KINDS if data.startswith(start)), "binary file")


def dump(data: bytes) -> bytes:
    """Write the first bytes in hexadecimal, with those that are letters beside them."""
    lines: list[str] = []
    for at in range(0, min(len(data), HEAD), 16):
        row = data[at : at + 16]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        lines.append(f"{at:08x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {letters}")
    return "\n".join(lines).encode("ascii")
