#!/bin/bash
# Qt's shared libraries on Debian and Ubuntu: installed when run as root, else named in one line to copy.
set -u
[ "$(uname -s)" = Linux ] || exit 0
declare -A PACKAGE_OF=(
  [libglib-2.0.so.0]=libglib2.0-0 [libGL.so.1]=libgl1 [libEGL.so.1]=libegl1 [libxkbcommon.so.0]=libxkbcommon0
  [libfontconfig.so.1]=libfontconfig1 [libdbus-1.so.3]=libdbus-1-3 [libxcb-cursor.so.0]=libxcb-cursor0
  [libxkbcommon-x11.so.0]=libxkbcommon-x11-0 [libxcb-icccm.so.4]=libxcb-icccm4 [libxcb-keysyms.so.1]=libxcb-keysyms1
  [libxcb-shape.so.0]=libxcb-shape0
)
present=$(/sbin/ldconfig -p 2>/dev/null || ldconfig -p)
missing=()
for library in "${!PACKAGE_OF[@]}"; do
  grep -qF "$library " <<<"$present" || missing+=("${PACKAGE_OF[$library]}")
done
# Qt draws no text without a font.
command -v fc-list >/dev/null && [ -n "$(fc-list 2>/dev/null | head -1)" ] || missing+=(fontconfig fonts-dejavu-core)
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "Qt may need these libraries (Debian's names): ${missing[*]}" >&2
elif [ "$(id -u)" = 0 ]; then
  echo "Installing libraries for Qt: ${missing[*]}" >&2
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Qt needs libraries; run: sudo apt-get install ${missing[*]}" >&2
fi
