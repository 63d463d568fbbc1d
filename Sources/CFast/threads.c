#define _GNU_SOURCE
#include "cfast.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

void cfast_thread_lower_priority(void) {
  // Linux keeps the nice value per thread. A refusal changes nothing but the pace.
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
}
