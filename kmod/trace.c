// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints' definitions, which the macros make of trace.h.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
