/* How the encoders of a job share its threads.
 *
 * Everyone gets one, and each further thread goes where the most work a thread is left, until all are given
 * or nobody can use more. So together they have no more threads than the job has, unless there are more
 * encoders than threads. Work is pixels by the codec's processor time a pixel. Pure function, the same answer
 * for the same job: the number of threads shows in some codecs' bits.
 */
#ifndef VSM_APP_ENCODER_SHARES_H
#define VSM_APP_ENCODER_SHARES_H

struct vsm_encoder_share {
    double work; /* any unit, > 0 */
    int most;    /* threads that it can use, >= 1 */
    int threads; /* set by divide() */
};

/* Sets `threads` of `count` shares, each at least 1. */
void vsm_encoder_shares_divide(struct vsm_encoder_share *shares, int count, int threads);

#endif
