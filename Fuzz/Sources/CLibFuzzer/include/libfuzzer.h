#ifndef SIGNALBOX_LIBFUZZER_H
#define SIGNALBOX_LIBFUZZER_H

#include <stddef.h>
#include <stdint.h>

// libFuzzer as a library: SwiftPM gives every executable a `main` of its own, so libFuzzer's is not
// linked and the targets start it themselves.
int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*target)(const uint8_t *data, size_t size));

#endif
