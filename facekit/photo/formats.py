"""Identifies a file by its first bytes: a photo's format, or the reason why it is not a photo."""

from __future__ import annotations

from enum import Enum


class ImageFormat(str, Enum):
    """The formats that can be read; the value is OpenCV's name of the decoder."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    BMP = "BMP"
    TIFF = "TIFF"
    GIF = "GIF"


class HeaderError(ValueError):
    """The reason why bytes are not a readable photo; the caller adds the file's name."""


_READ = "JPEG, PNG, WebP, BMP, TIFF and GIF are read"
_CONVERT = "Convert it to JPEG or PNG first."
_SNIFFED_BYTES = 1024

_SIGNATURES = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
)

_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}

_OTHER_KINDS = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"II+\0", "a BigTIFF picture"),
    (b"MM\0+", "a BigTIFF picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"\0\0\1\0", "an icon file"),
)

_NO_PICTURES = (
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"\x93NUMPY", "a numpy file"),
)

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")


def image_format(data: bytes) -> ImageFormat:
    """Returns the format of an encoded photo.  Raises HeaderError, which says what the file is."""
    for signature, known in _SIGNATURES:
        if data.startswith(signature):
            return known
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return ImageFormat.BMP
    raise HeaderError(_why_not(data[:_SNIFFED_BYTES]))


def _why_not(head: bytes) -> str:
    if not head:
        return "it is empty"
    if any(signature.startswith(head) for signature, _ in _SIGNATURES):
        return f"it is truncated: {len(head)} bytes are left of it"
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    for signature, kind in _OTHER_KINDS:
        if head.startswith(signature):
            return f"it is {kind}, which is not supported. {_CONVERT}"
    for signature, kind in _NO_PICTURES:
        if head.startswith(signature):
            return f"it is {kind}, not a picture; {_READ}"
    if _is_text(head):
        return _text(head.lower())
    return f"it is not a picture; {_READ}"


def _iso_media(head: bytes) -> str:
    """Names the format: HEIC, AVIF and MP4 share a container; the brands after `ftyp` differ."""
    brands = head[8 : max(12, int.from_bytes(head[:4], "big"))]
    if any(brand in brands for brand in _AVIF_BRANDS):
        return f"it is an AVIF picture, which is not supported. {_CONVERT}"
    if any(brand in brands for brand in _HEIF_BRANDS):
        return (
            "it is a HEIC picture, which is not supported. "
            "Convert it to JPEG first, for example with heif-convert."
        )
    return f"it is an MP4 or QuickTime file, not a picture; {_READ}"


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # the head may end within the last character
            return False
        text = head[: error.start].decode("utf-8")
    return all(one.isprintable() or one in "\t\n\r\f\ufeff" for one in text)


def _text(head: bytes) -> str:
    if b"<svg" in head:
        return f"it is an SVG drawing, which is not supported. {_CONVERT}"
    if b"<html" in head or b"<!doctype html" in head:
        return f"it is an HTML page, not a picture; {_READ}"
    return f"it is text, not a picture; {_READ}"
