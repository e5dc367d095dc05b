/* SPDX-License-Identifier: GPL-2.0 */
/* What numbers a migration may be asked for: command line and control socket. */
#ifndef UMIG_CONTROL_LIMITS_H
#define UMIG_CONTROL_LIMITS_H

#define DOWNTIME_LIMIT_MIN_MS 1
#define DOWNTIME_LIMIT_MAX_MS 2000000
#define ROUNDS_MAX 100000
#define TIMEOUT_MAX_S 86400
/* a peer that is busy says so every second */
#define PEER_TIMEOUT_MIN_S 5
#define THROTTLE_FLOOR_MIN 5
/* bytes a second; below, no deadline of the handover could be met */
#define BANDWIDTH_MIN 65536ULL
#define BANDWIDTH_MAX (1ULL << 50)

#endif
