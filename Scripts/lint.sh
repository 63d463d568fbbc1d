#!/usr/bin/env bash
# Format and boundaries; changes nothing.
. "$(dirname "$0")/lib.sh"
swift format lint --strict -r -p --configuration .swift-format Sources Tests Benchmarks Fuzz Package.swift
Scripts/boundaries.py
