#include "cfast.h"

#include <stdbool.h>

// The Swift runtime's own switch (swift/Runtime/Exclusivity.h).
extern bool _swift_disableExclusivityChecking;

void cfast_skip_exclusivity_checks(void) { _swift_disableExclusivityChecking = true; }
