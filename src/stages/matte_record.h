/* Barrier record "matte", which the matting stages of CPU and GPU share, so that either goes on where the
 * other stopped.
 *
 * Bytes: the recurrent states that had to be reset (little-endian, 64 bits); with views that turn, the
 * director's state; then the recurrent states of every view, as vsm_rvm_state_save() writes them.
 */
#ifndef VSM_STAGES_MATTE_RECORD_H
#define VSM_STAGES_MATTE_RECORD_H

#include "base/bytes.h"
#include "base/status.h"
#include "checkpoint/state.h"
#include "frame/view.h"
#include "models/rvm.h"

#include <stdint.h>

struct vsm_matte_counters {
    int64_t state_resets; /* recurrent states that had become non-finite */
};

/* Writing: begin, what lies between, states (perhaps in several calls), end, which takes the bytes. */
void vsm_matte_record_begin(const struct vsm_matte_counters *counters, struct vsm_bytes_out *out);
void vsm_matte_record_put_states(const struct vsm_rvm_state *states, int count, struct vsm_bytes_out *out);
int vsm_matte_record_end(struct vsm_bytes_out *out, struct vsm_state *state) VSM_NODISCARD;

/* Reading likewise. States must be of the views' grids; VSM_E_INPUT if the bytes are no such record. */
struct vsm_bytes_in vsm_matte_record_open(const struct vsm_state *state, struct vsm_matte_counters *counters);
int vsm_matte_record_get_states(struct vsm_rvm_state *states, const struct vsm_view *views, int count,
                                struct vsm_bytes_in *in) VSM_NODISCARD;
int vsm_matte_record_close(const struct vsm_bytes_in *in) VSM_NODISCARD;

#endif
