#!/usr/bin/env bash
# usage: incidents.sh [--keep] [NAME…]   acts incidents out with the release build; --keep replaces them in Fixtures/incidents
. "$(dirname "$0")/lib.sh"
Scripts/setup.sh test
build_release
exec .build/venv/bin/python Tests/EndToEnd/incidents.py "$@"
