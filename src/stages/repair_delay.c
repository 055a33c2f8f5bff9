#include "stages/repair_delay.h"

#include "base/mem.h"

#include <pthread.h>

#define RECORD "repairs"
#define FRAMES VSM_REPAIR_DELAY_FRAMES

struct decision {
    int64_t seq;
    struct vsm_state_repairs repairs;
};

struct vsm_repair_delay {
    pthread_mutex_t lock; /* of `posted` and the decisions' numbers */
    /* By seq, round and round: a frame's place is used again when the frame that it was due
     * before is posted. */
    struct decision decisions[FRAMES];
    int64_t posted;     /* the last one; before the first: the frame before that */
    int64_t posted_cut; /* where the scene of the last posted frame began; of the poster */
    int64_t taken_cut;  /* likewise of the taker */
};

int vsm_repair_delay_create(struct vsm_repair_delay **delay)
{
    struct vsm_repair_delay *d = vsm_mem_alloc("repair of states", 1, sizeof(*d));

    if (!d)
        return VSM_E_NOMEM;
    pthread_mutex_init(&d->lock, NULL);
    for (int i = 0; i < FRAMES; i++)
        d->decisions[i].seq = -1;
    d->posted = -1;
    *delay = d;
    return VSM_OK;
}

void vsm_repair_delay_destroy(struct vsm_repair_delay *delay)
{
    if (!delay)
        return;
    for (int i = 0; i < FRAMES; i++)
        vsm_state_repairs_clear(&delay->decisions[i].repairs);
    pthread_mutex_destroy(&delay->lock);
    vsm_mem_free(delay);
}

void vsm_repair_delay_post(struct vsm_repair_delay *delay, int64_t seq, bool scene_cut,
                           struct vsm_state_repairs *repairs)
{
    struct decision *d = &delay->decisions[seq % FRAMES];

    pthread_mutex_lock(&delay->lock);
    vsm_state_repairs_clear(&d->repairs);
    d->seq = seq;
    d->repairs = *repairs;
    *repairs = (struct vsm_state_repairs){0};
    delay->posted = seq;
    pthread_mutex_unlock(&delay->lock);
    if (scene_cut)
        delay->posted_cut = seq;
}

int vsm_repair_delay_take(struct vsm_repair_delay *delay, int64_t seq, bool scene_cut,
                          const struct vsm_state_repairs **repairs)
{
    const int64_t due = seq - FRAMES;
    const struct decision *d;
    bool known, wanted;

    *repairs = NULL;
    if (scene_cut)
        delay->taken_cut = seq;
    if (due < delay->taken_cut)
        return VSM_OK;
    d = &delay->decisions[due % FRAMES];
    pthread_mutex_lock(&delay->lock);
    known = delay->posted >= due;
    wanted = d->seq == due && vsm_state_repairs_any(&d->repairs);
    pthread_mutex_unlock(&delay->lock);
    if (!known)
        return vsm_fail(VSM_E_INTERNAL,
                        "repair of states: frame %lld is not compared before frame %lld begins",
                        (long long)due, (long long)seq);
    if (wanted)
        *repairs = &d->repairs;
    return VSM_OK;
}

static const struct decision *pending(const struct vsm_repair_delay *delay, int64_t seq)
{
    const struct decision *d = &delay->decisions[seq % FRAMES];

    return d->seq == seq && vsm_state_repairs_any(&d->repairs) ? d : NULL;
}

int vsm_repair_delay_save(struct vsm_repair_delay *delay, struct vsm_state *state)
{
    const int64_t last = delay->posted, oldest = last - FRAMES + 1;
    const int64_t first = oldest > delay->posted_cut ? oldest : delay->posted_cut;
    struct vsm_bytes_out out = {0};
    int count = 0;

    for (int64_t seq = first; seq <= last; seq++)
        count += pending(delay, seq) != NULL;
    if (count == 0)
        return VSM_OK;
    vsm_bytes_put_u8(&out, (uint8_t)count);
    for (int64_t seq = first; seq <= last; seq++) {
        const struct decision *d = pending(delay, seq);

        if (!d)
            continue;
        vsm_bytes_put_le64(&out, (uint64_t)seq);
        vsm_state_repairs_save(&d->repairs, &out);
    }
    return vsm_state_add_bytes(state, RECORD, &out);
}

static int damaged(void)
{
    return vsm_fail(VSM_E_INPUT, "checkpoint: record \"" RECORD "\" is damaged; start again with --restart");
}

int vsm_repair_delay_restore(struct vsm_repair_delay *delay, const struct vsm_state *state, int64_t next_seq)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);
    const int count = record ? vsm_bytes_get_u8(&in) : 0;
    int status = VSM_OK;

    delay->posted = next_seq - 1;
    for (int i = 0; i < count && status == VSM_OK; i++) {
        const int64_t seq = (int64_t)vsm_bytes_get_le64(&in);
        struct decision *d;

        if (seq < 0 || seq >= next_seq || seq < next_seq - FRAMES)
            return damaged();
        d = &delay->decisions[seq % FRAMES];
        vsm_state_repairs_clear(&d->repairs);
        d->seq = seq;
        status = vsm_state_repairs_load(&d->repairs, &in);
    }
    if (status == VSM_OK && (in.failed || vsm_bytes_left(&in) != 0))
        status = damaged();
    return status;
}
