#ifndef SIGNALBOX_CFAST_H
#define SIGNALBOX_CFAST_H

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `length` bytes, continuing from `crc`
/// (0 to begin). Uses the processor's instruction where there is one, else a table.
uint32_t cfast_crc32c(uint32_t crc, const void *bytes, size_t length);

/// Waits for `semaphore` at most `nanoseconds` of the monotonic clock, which `sem_timedwait` cannot.
/// 0, or -1 with errno ETIMEDOUT or EINTR.
int cfast_semaphore_wait(sem_t *semaphore, int64_t nanoseconds);

/// Names a thread for people and profilers: at most 15 bytes.
void cfast_thread_name(pthread_t thread, const char *name);

#endif
