#include "stereo/cell_match_cuda.h"

#include "base/mem.h"
#include "cuda/stereo_match.h"
#include "image/cuda_room.h"

#define ALIGNMENT 256 /* of what lies in the device's memory, bytes */

struct vsm_cell_match_cuda {
    struct vsm_cuda_stream *stream;
    struct vsm_match_grid grid;
    double largest[2];
    float pixel[2];
    /* In `memory`. */
    struct vsm_cuda_stereo_pyramid grey[2], alpha; /* by eye; alpha without its finest level */
    struct vsm_parallax_cell *table[2];
    struct vsm_cuda_stereo_match_cell *cells; /* two of each */
    void *memory;
    struct vsm_cuda_stereo_match_cell *found; /* page-locked, one of each */
    struct vsm_cuda_event *begin, *end;
};

/* A piece of memory, and where the next one begins. memory NULL: only counts. */
static void *take(char *memory, size_t *at, size_t bytes)
{
    void *piece = memory ? memory + *at : NULL;

    *at += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return piece;
}

static void take_pyramid(const struct vsm_match_grid *grid, char *memory, size_t *at, int first,
                         struct vsm_cuda_stereo_pyramid *pyramid)
{
    for (int level = first; level < grid->levels; level++)
        pyramid->level[level] =
            take(memory, at,
                 (size_t)(grid->width >> level) * (size_t)(grid->height >> level) * sizeof(float));
}

/* Returns the bytes of it all. */
static size_t lay_out(struct vsm_cell_match_cuda *m, char *memory)
{
    const size_t count = (size_t)(m->grid.columns * m->grid.rows);
    size_t at = 0;

    for (int eye = 0; eye < 2; eye++) {
        take_pyramid(&m->grid, memory, &at, 0, &m->grey[eye]);
        m->table[eye] = take(memory, &at, count * sizeof(*m->table[eye]));
    }
    take_pyramid(&m->grid, memory, &at, 1, &m->alpha);
    m->cells = take(memory, &at, 2 * count * sizeof(*m->cells));
    return at;
}

static int make_room(struct vsm_cell_match_cuda *m)
{
    const size_t count = (size_t)(m->grid.columns * m->grid.rows);
    void *locked = NULL;
    int status = vsm_cuda_room_make("pictures of eyes to be matched", VSM_PLACE_CUDA, lay_out(m, NULL), NULL,
                                    &m->memory);

    if (status == VSM_OK)
        status =
            vsm_cuda_room_make("matched cells", VSM_PLACE_HOST, count * sizeof(*m->found), NULL, &locked);
    m->found = locked;
    if (status == VSM_OK)
        status = vsm_cuda_event_create(0, &m->begin);
    if (status == VSM_OK)
        status = vsm_cuda_event_create(1, &m->end);
    lay_out(m, m->memory);
    return status;
}

int vsm_cell_match_cuda_create(const struct vsm_parallax *const parallax[2], struct vsm_cuda_stream *stream,
                               struct vsm_cell_match_cuda **matcher)
{
    struct vsm_cell_match_cuda *m = vsm_mem_alloc("matching of cells", 1, sizeof(*m));
    int status;

    if (!m)
        return VSM_E_NOMEM;
    m->stream = stream;
    m->grid = vsm_parallax_grid(parallax[0]);
    status = make_room(m);
    for (int eye = 0; eye < 2 && status == VSM_OK; eye++) {
        m->largest[eye] = parallax[eye]->largest;
        m->pixel[eye] = parallax[eye]->pixel;
        status = vsm_cuda_copy(m->table[eye], parallax[eye]->cells,
                               (size_t)(m->grid.columns * m->grid.rows) * sizeof(*m->table[eye]), stream);
    }
    /* The tables may be gone before the stream comes to them. */
    if (status == VSM_OK)
        status = vsm_cuda_stream_wait(stream);
    if (status != VSM_OK) {
        vsm_cell_match_cuda_destroy(m);
        return status;
    }
    *matcher = m;
    return VSM_OK;
}

void vsm_cell_match_cuda_destroy(struct vsm_cell_match_cuda *matcher)
{
    if (!matcher)
        return;
    vsm_cuda_event_destroy(matcher->begin);
    vsm_cuda_event_destroy(matcher->end);
    vsm_cuda_room_free(VSM_PLACE_HOST, matcher->found);
    vsm_cuda_room_free(VSM_PLACE_CUDA, matcher->memory);
    vsm_mem_free(matcher);
}

static int launch(struct vsm_cell_match_cuda *m, const struct vsm_cell_match_cuda_frame *frame,
                  const struct vsm_cuda_stereo_match *match, bool kept)
{
    int status = VSM_OK;

    for (int eye = 0; eye < 2 && !kept && status == VSM_OK; eye++)
        status = vsm_cuda_stereo_pyramid_grey(&m->grid, frame->rgb[eye], &m->grey[eye], m->stream);
    if (status == VSM_OK && m->grid.levels > 1)
        status = vsm_cuda_stereo_pyramid_alpha(&m->grid, &match->alpha, m->stream);
    if (status == VSM_OK)
        status = vsm_cuda_stereo_match_run(match, m->cells, m->stream);
    if (status == VSM_OK)
        status = vsm_cuda_copy(m->found, m->cells,
                               (size_t)(m->grid.columns * m->grid.rows) * sizeof(*m->found), m->stream);
    return status;
}

static void fill_map(const struct vsm_cell_match_cuda *m, struct vsm_disparity_map *map)
{
    *map = (struct vsm_disparity_map){.columns = m->grid.columns, .rows = m->grid.rows, .side = m->grid.side};
    for (int i = 0; i < m->grid.columns * m->grid.rows; i++) {
        const struct vsm_cuda_stereo_match_cell *found = &m->found[i];

        map->cells[i].people = found->people;
        map->cells[i].parallax = found->parallax;
        map->cells[i].residual = found->residual;
        map->cells[i].confidence = found->confidence;
        map->tried += found->tried;
        map->matched += found->tried && found->confidence > 0.0f;
    }
}

int vsm_cell_match_cuda_run(struct vsm_cell_match_cuda *matcher,
                            const struct vsm_cell_match_cuda_frame *frame, int eye,
                            const struct vsm_disparity_search *search, const uint8_t *only, bool kept,
                            struct vsm_disparity_map *map)
{
    struct vsm_cell_match_cuda *m = matcher;
    struct vsm_cuda_stereo_match match = {.grid = m->grid,
                                          .grey = {m->grey[eye], m->grey[!eye]},
                                          .alpha = m->alpha,
                                          .table = m->table[eye],
                                          .largest = m->largest[eye],
                                          .pitch = search->pitch,
                                          .pixel = m->pixel[eye],
                                          .both_ways = search->both_ways,
                                          .only = only};
    int status = vsm_cuda_event_record(m->begin, m->stream);

    match.alpha.level[0] = (float *)frame->alpha[eye];
    if (status == VSM_OK)
        status = launch(m, frame, &match, kept);
    if (status == VSM_OK)
        status = vsm_cuda_event_record(m->end, m->stream);
    if (status == VSM_OK)
        status = vsm_cuda_event_wait(m->begin);
    if (status == VSM_OK)
        status = vsm_cuda_event_wait(m->end);
    if (status == VSM_OK)
        fill_map(m, map);
    return status;
}
