#define _GNU_SOURCE
#include "cfast.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

void cfast_memory_return_large(void) {
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  // Fixing the one fixes the other at 128 KiB, and pages would come and go with every larger buffer.
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

int64_t cfast_memory_unused(void) {
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return -1;
  long long resident = 0, shared = 0;
  int found = fscanf(file, "%*s %lld %lld", &resident, &shared);
  fclose(file);
  if (found != 2) return -1;
  struct mallinfo2 info = mallinfo2();
  return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE) - (int64_t)(info.uordblks + info.hblkhd);
}

void cfast_memory_trim(void) { malloc_trim(0); }
