// SPDX-License-Identifier: GPL-2.0
/*
 * How a migration's connection is protected: see security.h.
 */
#include "control/security.h"

int security_load(const struct security *s, struct credentials *out,
		  struct err *err)
{
	*out = (struct credentials){ 0 };
	if (s->insecure)
		return 0;
	return credentials_load(out, s->key, s->peers, err);
}
