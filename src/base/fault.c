#include "base/fault.h"

#ifdef VSM_FAULT_POINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int armed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char armed_point[64];
static unsigned long armed_n, hits;
static int armed_error, armed_sticky;

int vsm_fault_hit(const char *point)
{
    int error = 0;

    if (!atomic_load_explicit(&armed, memory_order_relaxed))
        return 0;
    pthread_mutex_lock(&lock);
    if (strcmp(armed_point, "*") == 0 || strcmp(armed_point, point) == 0) {
        hits++;
        if (hits == armed_n || (armed_sticky && hits > armed_n))
            error = armed_error;
    }
    pthread_mutex_unlock(&lock);
    if (error == -1)
        raise(SIGKILL);
    return error;
}

void vsm_fault_arm(const char *point, unsigned long n, int error, int sticky)
{
    pthread_mutex_lock(&lock);
    snprintf(armed_point, sizeof(armed_point), "%s", point ? point : "");
    armed_n = n;
    armed_error = error;
    armed_sticky = sticky;
    hits = 0;
    pthread_mutex_unlock(&lock);
    atomic_store(&armed, point != NULL);
}

unsigned long vsm_fault_hits(void)
{
    unsigned long n;

    pthread_mutex_lock(&lock);
    n = hits;
    pthread_mutex_unlock(&lock);
    return n;
}

void vsm_fault_arm_from_env(void)
{
    const char *spec = getenv("VSM_FAULT");
    char point[64], action[16], sticky[8] = "";
    unsigned long n;

    if (!spec || sscanf(spec, "%63[^:]:%lu:%15[^:]:%7s", point, &n, action, sticky) < 3)
        return;
    vsm_fault_arm(point, n, strcmp(action, "kill") == 0 ? -1 : atoi(action), strcmp(sticky, "sticky") == 0);
}

#endif
