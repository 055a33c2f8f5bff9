/* Named fault points: places where tests make the outside world fail.
 *
 * A point is a string literal such as "file.fsync" or "mem.alloc". Tests arm one with vsm_fault_arm() or, for
 * a whole process, with the environment variable VSM_FAULT (see vsm_fault_arm_from_env). Compiled in only
 * with -Dfault_points=true; otherwise every point is the constant 0 and the compiler removes it.
 */
#ifndef VSM_BASE_FAULT_H
#define VSM_BASE_FAULT_H

#ifdef VSM_FAULT_POINTS

/* Returns 0 to go on, or the errno value that the caller must act on as if the system call had failed.
 * Does not return when the armed action is `kill`. Any thread. Cost: one relaxed atomic load when
 * nothing is armed. */
int vsm_fault_hit(const char *point);

/* Arms `point` ("*" = every point): the n-th hit (1-based) and, if `sticky`, all later ones yield `error`
 * (an errno value; -1 = SIGKILL to this process). Replaces what was armed; NULL disarms. The hit count
 * starts at 0. */
void vsm_fault_arm(const char *point, unsigned long n, int error, int sticky);

/* How often armed points were hit since arming. */
unsigned long vsm_fault_hits(void);

/* Reads VSM_FAULT="POINT:N:ACTION[:sticky]", ACTION = kill or an errno number. Called once by main. */
void vsm_fault_arm_from_env(void);

#else

static inline int vsm_fault_hit(const char *point)
{
    (void)point;
    return 0;
}

static inline void vsm_fault_arm_from_env(void)
{
}

#endif

/* `call`, or -1 with errno set where the fault point was hit: for system calls that fail with
 * -1. Needs <errno.h>. */
#define VSM_FAULT_CALL(point, call) ((errno = vsm_fault_hit(point)) ? -1 : (call))

#endif
