#define _GNU_SOURCE
#include "cfast.h"

#include <fcntl.h>
#include <sys/stat.h>

int cfast_file_identity(const char *path, uint64_t *inode, int64_t *born) {
  struct statx found;
  if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &found) != 0) return -1;
  *inode = found.stx_ino;
  *born = found.stx_mask & STATX_BTIME
              ? found.stx_btime.tv_sec * 1000000000LL + found.stx_btime.tv_nsec
              : 0;
  return 0;
}
