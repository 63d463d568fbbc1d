#define _GNU_SOURCE
#include "cfast.h"

#include <pthread.h>
#include <time.h>

int cfast_semaphore_wait(sem_t *semaphore, int64_t nanoseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += nanoseconds / 1000000000;
  until.tv_nsec += nanoseconds % 1000000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec += 1;
    until.tv_nsec -= 1000000000;
  }
  return sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
}

void cfast_thread_name(pthread_t thread, const char *name) { pthread_setname_np(thread, name); }
