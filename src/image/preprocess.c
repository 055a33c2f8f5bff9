#include "image/preprocess.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "image/area.h"
#include "image/colour.h"
#include "image/preprocess_kernels.h"
#include "image/preprocess_turned.h"

#define BAND 16 /* grid rows a job */

struct job {
    const struct vsm_preprocess_kernels *kernels;
    struct vsm_preprocess_plane planes[3];
    int plane_count;
    struct vsm_preprocess_matrix matrix;
    int width, height, row_floats;
    float *rgb;
    uint8_t *scratch; /* a slice for each worker: sums, then three rows of floats */
    size_t sums_bytes, slice_bytes;
    float neutral;
    struct vsm_area areas[4]; /* luma x, y, chroma x, y */
};

static int check(const struct vsm_image *image, const struct vsm_view *view)
{
    const struct vsm_rect *r = &view->source;
    bool known = image->format.planes <= VSM_PLANES_NV && image->format.depth >= 8 &&
                 image->format.depth <= 16 && image->format.chroma_x <= 1 && image->format.chroma_y <= 1;

    if (!known || image->place != VSM_PLACE_HOST)
        return vsm_fail(VSM_E_INTERNAL, "preprocess: planes %d with %d bits at place %d are not supported",
                        (int)image->format.planes, image->format.depth, (int)image->place);
    if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->width > image->width - r->x ||
        r->height > image->height - r->y)
        return vsm_fail(VSM_E_INTERNAL,
                        "preprocess: rectangle %dx%d at %d,%d is not inside the %dx%d picture", r->width,
                        r->height, r->x, r->y, image->width, image->height);
    return VSM_OK;
}

static void set_plane(struct job *job, int number, const struct vsm_image *image, const struct vsm_area *x,
                      const struct vsm_area *y)
{
    int channels = number && image->format.planes == VSM_PLANES_NV ? 2 : 1;
    int bytes = vsm_format_bytes_per_sample(image->format);

    job->planes[number] = (struct vsm_preprocess_plane){
        .data =
            image->data[number] + y->start * image->stride[number] + (ptrdiff_t)x->start * channels * bytes,
        .stride = image->stride[number],
        .bytes = bytes,
        .shift = image->format.shift,
        .channels = channels,
        .maximum = (1 << image->format.depth) - 1,
        .x = x,
        .y = y,
        .scale = 1.0 / ((double)x->total * (double)y->total),
    };
}

static int prepare_planes(struct job *job, const struct vsm_image *image, const struct vsm_view *view)
{
    const struct vsm_rect *r = &view->source;
    int status, count = vsm_format_plane_count(image->format);

    status = vsm_area_init(&job->areas[0], r->x, r->width, 1, view->width);
    if (!status)
        status = vsm_area_init(&job->areas[1], r->y, r->height, 1, view->height);
    if (!status && count > 1)
        status = vsm_area_init(&job->areas[2], r->x, r->width, 1 << image->format.chroma_x, view->width);
    if (!status && count > 1)
        status = vsm_area_init(&job->areas[3], r->y, r->height, 1 << image->format.chroma_y, view->height);
    if (status)
        return status;
    job->plane_count = count > 3 ? 3 : count;
    for (int p = 0; p < job->plane_count; p++)
        set_plane(job, p, image, &job->areas[p ? 2 : 0], &job->areas[p ? 3 : 1]);
    return VSM_OK;
}

static void set_matrix(struct job *job, const struct vsm_colour_model *m)
{
    job->matrix = (struct vsm_preprocess_matrix){
        .luma_scale = (float)(1 / m->luma_range),
        .luma_bias = (float)(-m->luma_offset / m->luma_range),
        .chroma_scale = (float)(1 / m->chroma_range),
        .chroma_bias = (float)(-m->chroma_offset / m->chroma_range),
        .red_v = (float)m->red_v,
        .green_u = (float)m->green_u,
        .green_v = (float)m->green_v,
        .blue_u = (float)m->blue_u,
    };
    job->neutral = (float)m->chroma_offset;
}

static int prepare_scratch(struct job *job, int workers)
{
    for (int p = 0; p < job->plane_count; p++) {
        size_t bytes = vsm_preprocess_scratch(&job->planes[p]);

        job->sums_bytes = bytes > job->sums_bytes ? bytes : job->sums_bytes;
    }
    job->sums_bytes = (job->sums_bytes + VSM_MEM_ALIGN - 1) / VSM_MEM_ALIGN * VSM_MEM_ALIGN;
    job->row_floats = (job->width + 15) / 16 * 16;
    job->slice_bytes = job->sums_bytes + 3 * (size_t)job->row_floats * sizeof(float);
    job->scratch = vsm_mem_alloc("preprocess rows", (size_t)workers, job->slice_bytes);
    return job->scratch ? VSM_OK : VSM_E_NOMEM;
}

static void run_band(void *context, int index, int worker)
{
    const struct job *job = context;
    uint8_t *scratch = job->scratch + (size_t)worker * job->slice_bytes;
    float *y = (float *)(scratch + job->sums_bytes), *u = y + job->row_floats, *v = u + job->row_floats;
    size_t plane = (size_t)job->width * (size_t)job->height;
    int end = (index + 1) * BAND < job->height ? (index + 1) * BAND : job->height;

    if (job->plane_count == 1)
        for (int i = 0; i < job->width; i++)
            u[i] = v[i] = job->neutral;
    for (int row = index * BAND; row < end; row++) {
        float *rgb = job->rgb + (size_t)row * (size_t)job->width;

        job->kernels->average(&job->planes[0], row, scratch, (float *[2]){y, NULL});
        if (job->plane_count > 1)
            job->kernels->average(&job->planes[1], row, scratch, (float *[2]){u, v});
        if (job->plane_count > 2)
            job->kernels->average(&job->planes[2], row, scratch, (float *[2]){v, NULL});
        job->kernels->to_rgb(&job->matrix, y, u, v, job->width, rgb, rgb + plane, rgb + 2 * plane);
    }
}

static const struct vsm_preprocess_kernels *choose_kernels(void)
{
#if defined(__x86_64__)
    if (vsm_cpu_has_avx2())
        return &vsm_preprocess_kernels_avx2;
#endif
    return &vsm_preprocess_kernels_c;
}

int vsm_preprocess(const struct vsm_image *image, const struct vsm_view *view, float *rgb,
                   struct vsm_parallel *pool)
{
    struct job job = {.kernels = choose_kernels(), .width = view->width, .height = view->height, .rgb = rgb};
    struct vsm_colour_model model;
    int status = check(image, view);

    if (!status && view->kind == VSM_VIEW_TURNED)
        return vsm_preprocess_turned(image, view, rgb, pool);
    if (!status)
        status = vsm_colour_model(image->colour, image->height, image->format.depth, &model);
    if (!status)
        status = prepare_planes(&job, image, view);
    if (!status)
        status = prepare_scratch(&job, vsm_parallel_threads(pool));
    if (!status) {
        set_matrix(&job, &model);
        vsm_parallel_for(pool, (job.height + BAND - 1) / BAND, run_band, &job);
    }
    vsm_mem_free(job.scratch);
    for (int i = 0; i < 4; i++)
        vsm_area_free(&job.areas[i]);
    return status;
}
