/* Memory that its holder can give up when others find none: who asks whom, and who waits for whom.
 *
 * The holder works with its memory under the lock, piece by piece, and between two pieces the lock is free.
 * Who finds no memory waits for the present piece to end and then has the holder's `give` run in its own
 * thread. So nobody waits for a thread that may itself be waiting for work, and there is no dead-lock as long
 * as the holder, under the lock, waits for nobody who may ask. What was given serves everybody whose attempt
 * failed before.
 */
#ifndef VSM_BASE_RELIEF_H
#define VSM_BASE_RELIEF_H

#include "base/status.h"

struct vsm_relief;

/* give: called under the lock; VSM_OK: something was given up, another attempt may succeed; VSM_E_NOMEM:
 * there is nothing left to give; anything else: the holder failed. */
int vsm_relief_create(int (*give)(void *self), void *self, struct vsm_relief **relief) VSM_NODISCARD;
/* NULL is allowed. */
void vsm_relief_destroy(struct vsm_relief *relief);

/* Round each piece of the holder's work. */
void vsm_relief_lock(struct vsm_relief *relief);
void vsm_relief_unlock(struct vsm_relief *relief);

/* The holder, under the lock, finds no memory itself: calls `give` and returns what that says. */
int vsm_relief_give(struct vsm_relief *relief) VSM_NODISCARD;

/* The holder, under the lock, has given something up of its own accord: whoever waits tries again first. */
void vsm_relief_note(struct vsm_relief *relief);

/* Calls attempt(opaque), again and again while it fails with VSM_E_NOMEM and something was given up since;
 * returns what it or `give` said last. relief NULL: once. Any thread that does not hold the lock. */
int vsm_relief_try(struct vsm_relief *relief, int (*attempt)(void *opaque), void *opaque) VSM_NODISCARD;

#endif
