#include "cfast.h"

// A place in the program's file that Scripts/stamp.sh fills in when the program is finished: stamping costs no
// compiling, and what is built without a stamp is the same program. Volatile: nothing may be concluded from the zeros.
__attribute__((section(".signalbox_build"), used)) static const volatile char stamp[CFAST_STAMP] = {1};

void cfast_build_stamp(char *text) {
  for (int at = 0; at < CFAST_STAMP; at++) text[at] = stamp[at];
}
