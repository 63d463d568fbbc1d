"""A wall clock that is set from outside, for a process that is to live through hours in seconds; other clocks stay as they are."""

import mmap
import struct
import subprocess
import time
from pathlib import Path

SHIM = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *ahead;
__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("CLOCK_AHEAD"), O_RDONLY);
  void *page = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) _exit(99);
  ahead = page;
  close(file);
}
int clock_gettime(clockid_t which, struct timespec *at) {
  int result = syscall(SYS_clock_gettime, which, at);
  if (result == 0 && ahead && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += *ahead;
  return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec, at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
"""


class ShiftedClock:
    """`environment` gives a process this clock; it begins at `start`, in seconds since 1970."""

    def __init__(self, directory, start):
        source, library, page = (Path(directory) / name for name in ("clock.c", "clock.so", "clock.ahead"))
        source.write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        self.ahead = int(start - time.time())
        page.write_bytes(struct.pack("=q", self.ahead))
        with open(page, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(page)}

    def now(self):
        """In seconds since 1970."""
        return time.time() + self.ahead

    def forward(self, seconds):
        """So far, or back where it is less than nothing."""
        self.ahead += seconds
        self.page[:] = struct.pack("=q", self.ahead)
