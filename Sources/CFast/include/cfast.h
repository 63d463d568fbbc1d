#ifndef SIGNALBOX_CFAST_H
#define SIGNALBOX_CFAST_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `length` bytes, continuing from `crc`
/// (0 to begin). Uses the processor's instruction where there is one, else a table.
uint32_t cfast_crc32c(uint32_t crc, const void *bytes, size_t length);

#endif
