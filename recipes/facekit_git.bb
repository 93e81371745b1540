# For i.MX boards, BSP 6.1 to 6.18: copy it into a layer, as recipes-support/facekit/facekit_git.bb.
# What is in which layer, and what was never built: docs/how-to/packaging.md.

SUMMARY = "Face verification from the shell and from Python"
DESCRIPTION = "Says whether two photos show the same person, on a CPU or on the NPU of an i.MX board."
HOMEPAGE = "https://github.com/facekit/facekit"
BUGTRACKER = "https://github.com/facekit/facekit/issues"
SECTION = "console/utils"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=7f0b1a34d296694fe5669838ee3e0f91"
CVE_PRODUCT = "facekit"

# The build runs facekit's command line, which needs click, for the man pages.
DEPENDS = "python3-click-native"

PV = "0.2.0+git"
# The folder is named, since that of git has had several names from Yocto 5.1 on.
SRC_URI = "git://github.com/facekit/facekit.git;protocol=https;branch=main;destsuffix=${BP}"
# The newest commit; a .bbappend pins a release.
SRCREV = "${AUTOREV}"

inherit python_setuptools_build_meta

# Which runtime: that of the NPU's delegate (docs/reference/delegates.md).  litert is on images from
# BSP 6.12.49 on.  models: to build models on the board; else they come by `facekit models import`.
# serve: for `facekit serve`, whose uvicorn and starlette have no recipe and come by pip.
PACKAGECONFIG ??= "tflite"
PACKAGECONFIG[tflite] = ",,,tensorflow-lite"
PACKAGECONFIG[litert] = ",,,litert"
PACKAGECONFIG[serve] = ",,,python3-asyncio"
PACKAGECONFIG[models] = ",,,python3-flatbuffers python3-pip python3-protobuf"

# setuptools before 77 (up to BSP 6.12) knows no license in SPDX form, and refuses both lines.
do_configure:append() {
    if nativepython3 -c 'import setuptools as s, sys; sys.exit(int(s.__version__.split(".")[0]) >= 77)'; then
        sed -i -e 's/^license = "MIT"$/license = {text = "MIT"}/' -e '/^license-files = /d' \
            -e 's/"setuptools>=77"/"setuptools"/' ${S}/pyproject.toml
    fi
}

# pooch, which downloads models by URL, has no recipe; without it a command that would says so.
RDEPENDS:${PN} = "\
    python3-click \
    python3-compression \
    python3-core \
    python3-crypt \
    python3-ctypes \
    python3-datetime \
    python3-difflib \
    python3-email \
    python3-fcntl \
    python3-html \
    python3-io \
    python3-json \
    python3-logging \
    python3-math \
    python3-multiprocessing \
    python3-netclient \
    python3-numpy \
    python3-opencv \
    python3-pickle \
    python3-platformdirs \
    python3-resource \
    python3-shell \
    python3-sqlite3 \
    python3-statistics \
    python3-stringold \
    python3-threading \
    python3-tomllib \
"
