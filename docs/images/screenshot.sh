#!/bin/sh
# Takes the README's picture: docs/images/screenshot.sh ADDRESS-OF-A-FILLED-GALLERY. Needs chromium and Pillow (.venv).
set -eu
cd "$(dirname "$0")"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-sync --hide-scrollbars --user-data-dir="$profile" --window-size=1280,1180 --timeout=15000 \
    --screenshot="$profile/page.png" "$1" >/dev/null 2>&1 || [ -s "$profile/page.png" ]
../../.venv/bin/python - "$profile/page.png" gallery.png <<'PY'
import sys
from PIL import Image

with Image.open(sys.argv[1]) as page:
    page.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(sys.argv[2], optimize=True)
PY
ls -l gallery.png
