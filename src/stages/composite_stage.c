#include "stages/composite_stage.h"

#include "base/mem.h"

struct vsm_composite_stage {
    struct vsm_composite_target targets[VSM_MAX_OUTPUTS];
    struct vsm_image_pool *pools[VSM_MAX_OUTPUTS];
    int count;
    struct vsm_refine_options options;
    struct vsm_parallel *pool; /* borrowed */
};

int vsm_composite_stage_create(const struct vsm_composite_target *targets, int count, int width, int height,
                               const struct vsm_refine_options *options, struct vsm_parallel *pool,
                               struct vsm_composite_stage **stage)
{
    struct vsm_composite_stage *s = vsm_mem_alloc("composite stage", 1, sizeof(*s));

    if (!s)
        return VSM_E_NOMEM;
    s->options = *options;
    s->pool = pool;
    for (s->count = 0; s->count < count; s->count++) {
        const struct vsm_composite_target *target = &targets[s->count];

        s->targets[s->count] = *target;
        s->pools[s->count] = vsm_image_pool_create(target->format, width, height, target->colour);
        if (!s->pools[s->count]) {
            vsm_composite_stage_destroy(s);
            return VSM_E_NOMEM;
        }
    }
    *stage = s;
    return VSM_OK;
}

void vsm_composite_stage_destroy(struct vsm_composite_stage *stage)
{
    if (!stage)
        return;
    for (int i = 0; i < stage->count; i++)
        vsm_image_pool_destroy(stage->pools[i]);
    vsm_mem_free(stage);
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_composite_stage *stage = self;
    struct vsm_composite_output outputs[VSM_MAX_OUTPUTS];
    int status;

    for (int i = 0; i < stage->count; i++) {
        const struct vsm_composite_target *target = &stage->targets[i];

        frame->outputs[i] = vsm_image_pool_get(stage->pools[i]);
        if (!frame->outputs[i])
            return VSM_E_NOMEM;
        outputs[i] = (struct vsm_composite_output){
            .kind = target->kind,
            .image = frame->outputs[i],
            .key = {target->key[0], target->key[1], target->key[2]},
        };
    }
    status = vsm_refine(frame->source, frame->mattes, frame->view_count, outputs, stage->count,
                        &stage->options, stage->pool);
    /* Nobody behind needs them: give the decoder its picture back before the frame waits for the encoder. */
    vsm_image_unref(&frame->source);
    for (int i = 0; i < frame->view_count; i++)
        vsm_tensor_unref(&frame->mattes[i].coefficients);
    return status;
}

struct vsm_stage vsm_composite_stage_describe(struct vsm_composite_stage *stage)
{
    return (struct vsm_stage){.name = "composite", .self = stage, .run = run};
}
