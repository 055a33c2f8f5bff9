#include "stages/scaling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORD "matte.scaling"

/* Share of a frame's time that the network's stage must take for it to limit, and, on the CPU where all
 * stages share the cores, for a smaller grid to help. */
#define LIMITS 0.9
#define HELPS  0.25

/* Missing the wanted speed by this is forgiven; a raise must keep a tenth to spare. */
#define SLOW 1.05
#define ROOM 0.9

static int round_to(double size, int step)
{
    const int cells = (int)(size / step + 0.5) * step;

    return cells < step ? step : cells;
}

int vsm_scaling_ladder(int width, int height, double least, double most, double wanted, int step,
                       struct vsm_scaling_options *options)
{
    static const int sides[] = {256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536};
    const double longest = width > height ? width : height;
    double low = least * longest, high = most * longest, best = INFINITY;

    if (least > most)
        return vsm_fail(VSM_E_USAGE,
                        "processing.min_scale: %g is more than processing.max_scale, %g; exchange them",
                        least, most);
    low = fmin(fmax(low, VSM_SCALING_LEAST), VSM_SCALING_MOST);
    high = fmin(fmax(high, low), VSM_SCALING_MOST);
    options->count = 0;
    for (size_t i = 0; i <= sizeof(sides) / sizeof(sides[0]); i++) {
        const bool is_last = i == sizeof(sides) / sizeof(sides[0]);
        const double side = is_last ? high : sides[i], scale = side / longest;
        const struct vsm_scaling_grid grid = {round_to(width * scale, step), round_to(height * scale, step)};
        const struct vsm_scaling_grid *before = &options->rungs[options->count - (options->count > 0)];

        if ((!is_last && (side < low || side > high)) ||
            (options->count > 0 && before->width == grid.width && before->height == grid.height))
            continue;
        if (fabs(log(scale / wanted)) < best) {
            best = fabs(log(scale / wanted));
            options->first = options->count;
        }
        options->rungs[options->count++] = grid;
    }
    return VSM_OK;
}

void vsm_scaling_init(struct vsm_scaling *scaling, const struct vsm_scaling_options *options)
{
    *scaling = (struct vsm_scaling){
        .options = *options,
        .current = options->first,
        .ceiling = options->count - 1,
        .skip = VSM_SCALING_SETTLE,
        .patience = VSM_SCALING_PATIENCE,
    };
}

struct vsm_scaling_grid vsm_scaling_current(const struct vsm_scaling *scaling)
{
    return scaling->options.rungs[scaling->current];
}

static void change(struct vsm_scaling *s, int64_t frame, int to, enum vsm_scaling_reason reason)
{
    if (s->change_count < VSM_SCALING_CHANGES)
        s->changes[s->change_count] = (struct vsm_scaling_change){frame, s->current, to, reason};
    s->change_count++;
    s->raised = to > s->current;
    s->current = to;
    s->count = 0;
    s->calm = 0;
    s->skip = VSM_SCALING_SETTLE;
}

static void lower(struct vsm_scaling *s, int64_t frame, enum vsm_scaling_reason reason)
{
    if (s->raised && s->patience < VSM_SCALING_PATIENCE_MAX)
        s->patience *= 2;
    change(s, frame, s->current - 1, reason);
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double median(const float values[VSM_SCALING_WINDOW])
{
    float sorted[VSM_SCALING_WINDOW];

    for (int i = 0; i < VSM_SCALING_WINDOW; i++)
        sorted[i] = values[i];
    qsort(sorted, VSM_SCALING_WINDOW, sizeof(float), compare);
    return (double)sorted[VSM_SCALING_WINDOW / 2];
}

static double cells(const struct vsm_scaling *s, int rung)
{
    return (double)s->options.rungs[rung].width * s->options.rungs[rung].height;
}

static bool fits_in_memory(const struct vsm_scaling *s, size_t memory_free)
{
    const double more = s->options.bytes_per_cell * (cells(s, s->current + 1) - cells(s, s->current));

    return memory_free == 0 || more <= VSM_SCALING_MEMORY_SHARE * (double)memory_free;
}

/* Times in milliseconds, shares 0..1. */
struct medians {
    double busy, period, usage;
};

static struct medians medians_of(const struct vsm_scaling *s)
{
    return (struct medians){.busy = median(s->busy),
                            .period = fmax(median(s->period), 1e-3),
                            .usage = median(s->usage)};
}

static bool is_room(const struct vsm_scaling *s, const struct medians *m)
{
    const struct vsm_scaling_options *o = &s->options;
    const double ratio = cells(s, s->current + 1) / cells(s, s->current);

    if (o->target_fps > 0 && m->period + m->busy * (ratio - 1) > ROOM * 1000 / o->target_fps)
        return false;
    return o->target_usage <= 0 || m->usage * ratio <= o->target_usage - VSM_SCALING_MARGIN;
}

static bool judge(struct vsm_scaling *s, int64_t next, size_t memory_free)
{
    const struct vsm_scaling_options *o = &s->options;
    const struct medians m = medians_of(s);
    const int64_t before = s->change_count;

    s->count = 0;
    s->calm++;
    if (s->current > 0 && memory_free > 0 && memory_free < VSM_SCALING_MEMORY_LOW)
        lower(s, next, VSM_SCALING_MEMORY);
    else if (s->current > 0 && o->target_fps > 0 && m.period > SLOW * 1000 / o->target_fps &&
             m.busy > HELPS * m.period)
        lower(s, next, VSM_SCALING_SLOW);
    else if (s->current > 0 && o->target_usage > 0 && m.usage > o->target_usage + VSM_SCALING_MARGIN &&
             m.busy > LIMITS * m.period)
        lower(s, next, VSM_SCALING_BUSY);
    else if (s->current < s->ceiling && s->calm >= s->patience && is_room(s, &m) &&
             fits_in_memory(s, memory_free))
        change(s, next, s->current + 1, VSM_SCALING_IDLE);
    return s->change_count > before;
}

bool vsm_scaling_note(struct vsm_scaling *s, int64_t frame, const struct vsm_scaling_sample *sample)
{
    const double own = sample->period_ms > 0 ? fmin(sample->busy_ms / sample->period_ms, 1) : 1;

    if (s->skip > 0) {
        s->skip--;
        return false;
    }
    s->busy[s->count] = (float)sample->busy_ms;
    s->period[s->count] = (float)sample->period_ms;
    s->usage[s->count] = (float)(sample->usage >= 0 ? sample->usage : own);
    return ++s->count == VSM_SCALING_WINDOW && judge(s, frame + 1, sample->memory_free);
}

bool vsm_scaling_out_of_memory(struct vsm_scaling *s, int64_t frame)
{
    if (s->current == 0)
        return false;
    s->ceiling = s->current - 1;
    change(s, frame, s->current - 1, VSM_SCALING_MEMORY);
    return true;
}

const char *vsm_scaling_reason_name(enum vsm_scaling_reason reason)
{
    static const char *const names[] = {"busy", "slow", "memory", "idle"};

    return names[reason];
}

void vsm_scaling_describe(const struct vsm_scaling *s, char *text, size_t size)
{
    static const char *const words[] = {"the device is busier than wanted",
                                        "fewer frames a second than wanted", "memory is short",
                                        "there is time for more"};
    const struct vsm_scaling_change *c;

    text[0] = '\0';
    if (s->change_count == 0 || s->change_count > VSM_SCALING_CHANGES)
        return;
    c = &s->changes[s->change_count - 1];
    snprintf(text, size, "from frame %lld on grid %dx%d instead of %dx%d: %s", (long long)c->frame,
             s->options.rungs[c->to].width, s->options.rungs[c->to].height, s->options.rungs[c->from].width,
             s->options.rungs[c->from].height, words[c->reason]);
}

static int64_t kept_changes(const struct vsm_scaling *s)
{
    return s->change_count < VSM_SCALING_CHANGES ? s->change_count : VSM_SCALING_CHANGES;
}

void vsm_scaling_save(const struct vsm_scaling *s, struct vsm_bytes_out *out)
{
    const struct vsm_scaling_grid grid = vsm_scaling_current(s);

    vsm_bytes_put_le32(out, (uint32_t)grid.width);
    vsm_bytes_put_le32(out, (uint32_t)grid.height);
    vsm_bytes_put_le32(out, (uint32_t)s->current);
    vsm_bytes_put_le32(out, (uint32_t)s->ceiling);
    vsm_bytes_put_le32(out, (uint32_t)s->count);
    vsm_bytes_put_le32(out, (uint32_t)s->skip);
    vsm_bytes_put_le32(out, (uint32_t)s->calm);
    vsm_bytes_put_le32(out, (uint32_t)s->patience);
    vsm_bytes_put_u8(out, s->raised);
    vsm_bytes_put_f32(out, s->busy, VSM_SCALING_WINDOW);
    vsm_bytes_put_f32(out, s->period, VSM_SCALING_WINDOW);
    vsm_bytes_put_f32(out, s->usage, VSM_SCALING_WINDOW);
    vsm_bytes_put_le64(out, (uint64_t)s->change_count);
    for (int64_t i = 0; i < kept_changes(s); i++) {
        vsm_bytes_put_le64(out, (uint64_t)s->changes[i].frame);
        vsm_bytes_put_le32(out, (uint32_t)s->changes[i].from);
        vsm_bytes_put_le32(out, (uint32_t)s->changes[i].to);
        vsm_bytes_put_u8(out, (uint8_t)s->changes[i].reason);
    }
}

static bool is_rung(const struct vsm_scaling *s, int rung)
{
    return rung >= 0 && rung < s->options.count;
}

static bool is_sound(const struct vsm_scaling *s, struct vsm_scaling_grid grid)
{
    bool sound = is_rung(s, s->current) && is_rung(s, s->ceiling) && s->current <= s->ceiling &&
                 s->count >= 0 && s->count < VSM_SCALING_WINDOW && s->skip >= 0 &&
                 s->skip <= VSM_SCALING_SETTLE && s->calm >= 0 && s->patience >= 1 &&
                 s->patience <= VSM_SCALING_PATIENCE_MAX && s->change_count >= 0;

    sound = sound && s->options.rungs[s->current].width == grid.width &&
            s->options.rungs[s->current].height == grid.height;
    for (int64_t i = 0; sound && i < kept_changes(s); i++)
        sound = is_rung(s, s->changes[i].from) && is_rung(s, s->changes[i].to) &&
                s->changes[i].reason <= VSM_SCALING_IDLE;
    return sound;
}

int vsm_scaling_load(struct vsm_scaling *scaling, struct vsm_bytes_in *in)
{
    struct vsm_scaling s = {.options = scaling->options};
    struct vsm_scaling_grid grid;

    grid.width = (int32_t)vsm_bytes_get_le32(in);
    grid.height = (int32_t)vsm_bytes_get_le32(in);
    s.current = (int)vsm_bytes_get_le32(in);
    s.ceiling = (int)vsm_bytes_get_le32(in);
    s.count = (int)vsm_bytes_get_le32(in);
    s.skip = (int)vsm_bytes_get_le32(in);
    s.calm = (int)vsm_bytes_get_le32(in);
    s.patience = (int)vsm_bytes_get_le32(in);
    s.raised = vsm_bytes_get_u8(in) != 0;
    vsm_bytes_get_f32(in, s.busy, VSM_SCALING_WINDOW);
    vsm_bytes_get_f32(in, s.period, VSM_SCALING_WINDOW);
    vsm_bytes_get_f32(in, s.usage, VSM_SCALING_WINDOW);
    s.change_count = (int64_t)vsm_bytes_get_le64(in);
    for (int64_t i = 0; !in->failed && i < kept_changes(&s); i++) {
        s.changes[i].frame = (int64_t)vsm_bytes_get_le64(in);
        s.changes[i].from = (int32_t)vsm_bytes_get_le32(in);
        s.changes[i].to = (int32_t)vsm_bytes_get_le32(in);
        s.changes[i].reason = (enum vsm_scaling_reason)vsm_bytes_get_u8(in);
    }
    if (in->failed || !is_sound(&s, grid))
        return vsm_fail(
            VSM_E_INPUT,
            "checkpoint: the state of adaptive scaling is damaged or of another ladder of grids; start "
            "again with --restart");
    *scaling = s;
    return VSM_OK;
}

int vsm_scaling_add_record(const struct vsm_scaling *scaling, struct vsm_state *state)
{
    struct vsm_bytes_out out = {0};

    vsm_scaling_save(scaling, &out);
    return vsm_state_add_bytes(state, RECORD, &out);
}

int vsm_scaling_restore(struct vsm_scaling *scaling, const struct vsm_state *state)
{
    const struct vsm_state_record *record = vsm_state_find(state, RECORD);
    struct vsm_bytes_in in = vsm_bytes_in_of(record ? record->data : NULL, record ? record->size : 0);

    return vsm_scaling_load(scaling, &in);
}
