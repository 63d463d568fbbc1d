#ifndef SIGNALBOX_CFAST_H
#define SIGNALBOX_CFAST_H

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `length` bytes, continuing from `crc`
/// (0 to begin). Uses the processor's instruction where there is one, else a table.
uint32_t cfast_crc32c(uint32_t crc, const void *bytes, size_t length);

/// SHA-256 of `message` followed by `suffix`, which has at most 32 bytes. Uses the processor's
/// instructions where there are some.
void cfast_sha256(const void *message, size_t length, const void *suffix, size_t suffix_length,
                  uint8_t digest[32]);

/// The same without these instructions.
void cfast_sha256_portable(const void *message, size_t length, const void *suffix,
                           size_t suffix_length, uint8_t digest[32]);

/// Waits for `semaphore` at most `nanoseconds` of the monotonic clock, which `sem_timedwait` cannot.
/// 0, or -1 with errno ETIMEDOUT or EINTR.
int cfast_semaphore_wait(sem_t *semaphore, int64_t nanoseconds);

/// Names a thread for people and profilers: at most 15 bytes.
void cfast_thread_name(pthread_t thread, const char *name);

/// Lets every other thread of the machine go before the calling one.
void cfast_thread_lower_priority(void);

/// Ends the Swift runtime's checks of exclusive access in code that was built with them. Before any other
/// thread starts.
void cfast_skip_exclusivity_checks(void);

/// The number of the file at `path` in its file system, and when it was created in nanoseconds since the epoch (0: the
/// file system does not say). 0, or -1 with errno.
int cfast_file_identity(const char *path, uint64_t *inode, int64_t *born);

/// The length of the build's stamp.
#define CFAST_STAMP 128

/// What the program was stamped with when it was built, `commit\ntime\n` and zeros; begins with 1 where it was not.
void cfast_build_stamp(char *text);

/// Blocks of 256 KiB and more are the kernel's again as soon as they are freed. By itself the allocator would
/// raise that bound to the largest block ever freed, up to 32 MiB, and keep what is below. Call before threads.
void cfast_memory_return_large(void);

/// Bytes of private memory that are resident and that nobody uses; less than 0 if that cannot be found out.
int64_t cfast_memory_unused(void);

/// Gives whole pages that nobody uses back to the kernel; takes some milliseconds for 100 MiB of them.
void cfast_memory_trim(void);

#endif
