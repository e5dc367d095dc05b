/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hooks in KSM's stable tree, and the queue between them and the worker.
 */
#ifndef UMIG_HOOK_H
#define UMIG_HOOK_H

#include <linux/types.h>

struct umig_place;

int umig_hook_init(unsigned int queue_len);
void umig_hook_exit(void);

int umig_hook_register(void);
void umig_hook_unregister(void);

bool umig_hook_peek(struct umig_place *place);
void umig_hook_consume(void);
unsigned int umig_hook_queue_len(void);
unsigned long umig_hook_missed(void);
bool umig_hook_alien(void);
void umig_hook_set_alien(void);

#endif
