// LZ4's plain and high-compression interfaces, for EventStore only.
#include <lz4.h>
#include <lz4hc.h>
