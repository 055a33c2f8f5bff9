#include "stages/composite_stage.h"

#include "base/mem.h"
#include "geometry/reprojection.h"
#include "image/colour.h"

/* One target, and where its pictures come from. A packed one is drawn from a foreground and a matte as the
 * source lies, which live for one frame. */
struct target {
    struct vsm_composite_target wanted;
    struct vsm_image_pool *pool;
    struct vsm_reprojection *reprojection; /* NULL: refined straight into its picture */
    struct vsm_image_pool *foregrounds, *mattes;
};

struct vsm_composite_stage {
    struct target targets[VSM_MAX_OUTPUTS];
    int count;
    struct vsm_refine_options options;
    struct vsm_parallel *pool; /* borrowed */
};

/* What refine makes for one frame, and what it becomes. */
struct work {
    struct vsm_composite_output outputs[2 * VSM_MAX_OUTPUTS]; /* a packed target has two */
    int count;
    struct vsm_image *foregrounds[VSM_MAX_OUTPUTS], *mattes[VSM_MAX_OUTPUTS]; /* by target; owned */
};

static int create_pack(struct target *target, int width, int height)
{
    static const struct vsm_format gray = {.planes = VSM_PLANES_GRAY, .depth = 16};
    const struct vsm_composite_target *wanted = &target->wanted;
    const struct vsm_composite_packing *packing = wanted->packing;
    struct vsm_reprojection_options options = {
        .lens = packing->lens,
        .eyes = {packing->eyes[0], packing->eyes[1]},
        .half_equirect = packing->half_equirect,
        .field_of_view = packing->field_of_view,
        .height = packing->height,
        .format = wanted->format,
    };
    const uint8_t black[3] = {0}, one[3] = {255, packing->red ? 0 : 255, packing->red ? 0 : 255};
    struct vsm_colour full = wanted->colour;
    struct vsm_colour_model model;
    int status = vsm_colour_model(wanted->colour, height, wanted->format.depth, &model);

    if (status != VSM_OK)
        return status;
    full.full_range = true;
    vsm_colour_encode(&model, packing->mattes ? black : wanted->key, options.background);
    vsm_colour_encode(&model, black, options.alpha_zero);
    vsm_colour_encode(&model, one, options.alpha_one);
    target->foregrounds = vsm_image_pool_create(wanted->format, width, height, wanted->colour);
    if (packing->mattes)
        target->mattes = vsm_image_pool_create(gray, width, height, full);
    if (!target->foregrounds || (packing->mattes && !target->mattes))
        return VSM_E_NOMEM;
    return vsm_reprojection_create(&options, &target->reprojection);
}

static int create_target(struct target *target, int width, int height)
{
    const struct vsm_composite_target *wanted = &target->wanted;
    const struct vsm_composite_packing *packing = wanted->packing;

    target->pool = vsm_image_pool_create(wanted->format, packing ? 2 * packing->height : width,
                                         packing ? packing->height : height, wanted->colour);
    if (!target->pool)
        return VSM_E_NOMEM;
    return packing ? create_pack(target, width, height) : VSM_OK;
}

int vsm_composite_stage_create(const struct vsm_composite_target *targets, int count, int width, int height,
                               const struct vsm_refine_options *options, struct vsm_parallel *pool,
                               struct vsm_composite_stage **stage)
{
    struct vsm_composite_stage *s = vsm_mem_alloc("composite stage", 1, sizeof(*s));
    int status = VSM_OK;

    if (!s)
        return VSM_E_NOMEM;
    s->options = *options;
    s->pool = pool;
    while (s->count < count && status == VSM_OK) {
        struct target *target = &s->targets[s->count++];

        target->wanted = targets[s->count - 1];
        status = create_target(target, width, height);
        target->wanted.packing = NULL;
    }
    if (status != VSM_OK) {
        vsm_composite_stage_destroy(s);
        return status;
    }
    *stage = s;
    return VSM_OK;
}

void vsm_composite_stage_destroy(struct vsm_composite_stage *stage)
{
    if (!stage)
        return;
    for (int i = 0; i < stage->count; i++) {
        vsm_image_pool_destroy(stage->targets[i].pool);
        vsm_image_pool_destroy(stage->targets[i].foregrounds);
        vsm_image_pool_destroy(stage->targets[i].mattes);
        vsm_reprojection_destroy(stage->targets[i].reprojection);
    }
    vsm_mem_free(stage);
}

static int add_work(struct work *work, const struct target *target, enum vsm_composite kind,
                    struct vsm_image *image)
{
    const uint8_t *key = target->wanted.key;

    if (!image)
        return VSM_E_NOMEM;
    work->outputs[work->count++] = (struct vsm_composite_output){kind, image, {key[0], key[1], key[2]}};
    return VSM_OK;
}

static int prepare(const struct vsm_composite_stage *stage, struct vsm_frame *frame, struct work *work)
{
    for (int i = 0; i < stage->count; i++) {
        const struct target *target = &stage->targets[i];
        int status;

        frame->outputs[i] = vsm_image_pool_get(target->pool);
        if (!frame->outputs[i])
            return VSM_E_NOMEM;
        if (!target->reprojection) {
            status = add_work(work, target, target->wanted.kind, frame->outputs[i]);
        } else {
            work->foregrounds[i] = vsm_image_pool_get(target->foregrounds);
            status = add_work(work, target, target->wanted.kind, work->foregrounds[i]);
            if (status == VSM_OK && target->mattes)
                work->mattes[i] = vsm_image_pool_get(target->mattes);
            if (status == VSM_OK && target->mattes)
                status = add_work(work, target, VSM_COMPOSITE_MATTE, work->mattes[i]);
        }
        if (status != VSM_OK)
            return status;
    }
    return VSM_OK;
}

static int run(void *self, struct vsm_frame *frame)
{
    struct vsm_composite_stage *stage = self;
    struct work work = {.count = 0};
    int status = prepare(stage, frame, &work);

    if (status == VSM_OK)
        status = vsm_refine(frame->source, frame->mattes, frame->view_count, work.outputs, work.count,
                            &stage->options, stage->pool);
    /* Nobody behind needs them: give the decoder its picture back before the frame waits for the encoder. */
    vsm_image_unref(&frame->source);
    for (int i = 0; i < frame->view_count; i++)
        vsm_tensor_unref(&frame->mattes[i].coefficients);
    for (int i = 0; i < stage->count; i++) {
        if (stage->targets[i].reprojection && status == VSM_OK)
            status = vsm_reprojection_draw(stage->targets[i].reprojection, work.foregrounds[i],
                                           work.mattes[i], frame->outputs[i], stage->pool);
        vsm_image_unref(&work.foregrounds[i]);
        vsm_image_unref(&work.mattes[i]);
    }
    return status;
}

struct vsm_stage vsm_composite_stage_describe(struct vsm_composite_stage *stage)
{
    return (struct vsm_stage){.name = "composite", .self = stage, .run = run};
}
