#include "stereo/cell_match.h"

#include <math.h>

/* One measurement. Each cell is matched on its own and writes only what is its own. */
struct matching {
    const struct vsm_parallax *parallax;
    const struct vsm_stereo_pyramid *pyramid;
    const struct vsm_disparity_search *search;
    struct vsm_match_grid grid;
    int reach[VSM_MATCH_LEVELS]; /* of each level's windows */
    int small;                   /* of the second look, on the finest level */
    struct vsm_disparity_map *map;
    bool tried[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

static float mean_alpha(const struct matching *m, int index)
{
    const struct vsm_parallax *p = m->parallax;
    const struct vsm_disparity_match_plane *alpha = &m->pyramid->planes[0][VSM_PYRAMID_WEIGHTS];
    const int x0 = index % p->columns * p->side, y0 = index / p->columns * p->side;
    const int x1 = x0 + p->side < p->width ? x0 + p->side : p->width;
    const int y1 = y0 + p->side < p->height ? y0 + p->side : p->height;
    float sum = 0.0f;

    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++)
            sum += alpha->origin[y * alpha->stride + x];
    }
    return sum / (float)((x1 - x0) * (y1 - y0));
}

static struct vsm_match_place centre_of(const struct matching *m, int index, int level)
{
    return vsm_pixel_match_middle(&m->grid, index, level);
}

/* The integer shifts that a search tries on a level, without the vertical range. */
struct candidates {
    struct vsm_match_place shift[VSM_MATCH_MAX_CANDIDATES];
    int count;
};

static void list_candidates(const struct matching *m, int index, int level, struct candidates *list)
{
    const struct vsm_match_line line = vsm_pixel_match_line(&m->parallax->cells[index], m->parallax->largest,
                                                            m->search->pitch, m->search->both_ways, level);

    list->count = 0;
    for (int i = 0; i <= line.steps; i++) {
        const struct vsm_match_place place = vsm_pixel_match_along(&line, i);

        if (list->count == 0 || list->shift[list->count - 1].x != place.x)
            list->shift[list->count++] = place;
    }
}

static struct vsm_match_best search_all(const struct vsm_disparity_match_window *window,
                                        const struct vsm_disparity_match_plane *picture,
                                        struct vsm_match_place centre, int sign,
                                        const struct candidates *list)
{
    struct vsm_match_best best = {.score = -2.0f};

    for (int i = 0; i < list->count; i++) {
        for (int j = -1; j <= 1; j++) {
            const int dx = sign * list->shift[i].x, dy = sign * list->shift[i].y + j;
            const float score = vsm_disparity_match_score(window, picture, centre.x + dx, centre.y + dy);

            if (score > best.score)
                best = (struct vsm_match_best){dx, dy, score};
        }
    }
    return best;
}

/* The slave's own matte has no say: it may have lost the person. */
static bool cut(const struct matching *m, int level, int reach, int plane, struct vsm_match_place at,
                struct vsm_match_place from, struct vsm_disparity_match_window *window)
{
    return vsm_disparity_match_cut(&m->pyramid->planes[level][plane], at,
                                   &m->pyramid->planes[level][VSM_PYRAMID_WEIGHTS], from, reach,
                                   vsm_pixel_match_step(reach), window);
}

/* Left-right check: the slave's window there finds its way back. */
static bool comes_back(const struct matching *m, int level, int reach, struct vsm_match_place from,
                       const struct vsm_match_best *there, const struct candidates *list,
                       struct vsm_disparity_match_window *window)
{
    const struct vsm_match_place to = {from.x + there->x, from.y + there->y};
    struct vsm_match_best back;

    if (!cut(m, level, reach, VSM_PYRAMID_SLAVE, to, from, window))
        return false;
    back = search_all(window, &m->pyramid->planes[level][VSM_PYRAMID_MASTER], to, -1, list);
    return back.x + there->x >= -1 && back.x + there->x <= 1;
}

/* The best integer shift around a guess; two pixels across, one down. Follows the ridge if it
 * ends on the border. */
static struct vsm_match_best search_around(const struct vsm_disparity_match_window *window,
                                           const struct vsm_disparity_match_plane *picture,
                                           struct vsm_match_place centre, struct vsm_match_best guess)
{
    struct vsm_match_best best = {.score = -2.0f};

    for (int turn = 0; turn < 3; turn++) {
        best.score = -2.0f;
        for (int j = -1; j <= 1; j++) {
            for (int i = -1; i <= 1; i++) {
                const int dx = guess.x + i, dy = guess.y + j;
                const float score = vsm_disparity_match_score(window, picture, centre.x + dx, centre.y + dy);

                if (score > best.score)
                    best = (struct vsm_match_best){dx, dy, score};
            }
        }
        if (best.x == guess.x && best.y == guess.y)
            break;
        guess = best;
    }
    return best;
}

/* A cell's windows. Cutting one costs as much as comparing it some fifteen times. */
struct windows {
    struct vsm_disparity_match_window large; /* of the level that is searched */
    struct vsm_disparity_match_window small; /* of the finest level */
    struct vsm_disparity_match_window back;  /* the slave's */
};

/* From the coarsest level, where the large window is cut already, to the finest. false: no believable
 * match. */
static bool match_down(const struct matching *m, int index, struct windows *windows,
                       struct vsm_match_best *best)
{
    struct candidates list;
    int level = m->pyramid->levels - 1;
    struct vsm_match_place centre = centre_of(m, index, level);

    list_candidates(m, index, level, &list);
    *best = search_all(&windows->large, &m->pyramid->planes[level][VSM_PYRAMID_SLAVE], centre, 1, &list);
    if (best->score < VSM_MATCH_MIN_SCORE ||
        !comes_back(m, level, m->reach[level], centre, best, &list, &windows->back))
        return false;
    while (--level >= 0) {
        centre = centre_of(m, index, level);
        if (!cut(m, level, m->reach[level], VSM_PYRAMID_MASTER, centre, centre, &windows->large))
            return false;
        best->x *= 2;
        best->y *= 2;
        *best = search_around(&windows->large, &m->pyramid->planes[level][VSM_PYRAMID_SLAVE], centre, *best);
    }
    return best->score >= VSM_MATCH_MIN_SCORE;
}

/* Whether the cell's own pixels belong elsewhere than the large window says, or to a place
 * where it found none. */
static bool match_small(const struct matching *m, int index, struct windows *windows, bool found,
                        struct vsm_match_best *best)
{
    const struct vsm_match_place centre = centre_of(m, index, 0);
    const struct vsm_disparity_match_plane *slave = &m->pyramid->planes[0][VSM_PYRAMID_SLAVE];
    struct candidates list;
    struct vsm_match_best other;
    float least = VSM_MATCH_SMALL_SCORE;

    if (!cut(m, 0, m->small, VSM_PYRAMID_MASTER, centre, centre, &windows->small))
        return false;
    if (found) {
        least = vsm_disparity_match_score(&windows->small, slave, centre.x + best->x, centre.y + best->y);
        if (least >= VSM_MATCH_SMALL_SCORE)
            return false;
        least = fmaxf(least + VSM_MATCH_SMALL_GAIN, VSM_MATCH_SMALL_SCORE);
    }
    list_candidates(m, index, 0, &list);
    other = search_all(&windows->small, slave, centre, 1, &list);
    if (other.score < least || !comes_back(m, 0, m->small, centre, &other, &list, &windows->back))
        return false;
    *best = other;
    return true;
}

/* What the best integer shift through a window, on the finest level, makes of the cell. false:
 * no believable match. */
static bool settle_match(const struct matching *m, int index, const struct vsm_disparity_match_window *window,
                         struct vsm_match_best best, struct vsm_disparity_cell *cell)
{
    const struct vsm_disparity_match_plane *slave = &m->pyramid->planes[0][VSM_PYRAMID_SLAVE];
    const struct vsm_match_place centre = centre_of(m, index, 0);
    float beside[4];
    struct vsm_match_found found;

    for (int i = 0; i < 4; i++) {
        const struct vsm_match_place at = vsm_pixel_match_beside(i);

        beside[i] =
            vsm_disparity_match_score(window, slave, centre.x + best.x + at.x, centre.y + best.y + at.y);
    }
    found = vsm_pixel_match_settle(&m->parallax->cells[index], m->parallax->largest, m->search->pitch, best,
                                   beside);
    cell->parallax = found.parallax;
    cell->residual = found.residual;
    cell->confidence = found.confidence;
    return cell->confidence > 0.0f;
}

/* false: no believable match. `windows` as for match_down(). */
static bool match(const struct matching *m, int index, struct windows *windows,
                  struct vsm_disparity_cell *cell)
{
    struct vsm_match_best best;
    const bool found = match_down(m, index, windows, &best);

    if (match_small(m, index, windows, found, &best)) {
        if (!settle_match(m, index, &windows->small, best, cell) ||
            cell->confidence < VSM_MATCH_SMALL_LEAST_TRUST)
            return false;
        cell->confidence *= VSM_MATCH_SMALL_TRUST;
        return true;
    }
    return found && settle_match(m, index, &windows->large, best, cell);
}

static void match_cell(void *context, int index, int worker)
{
    struct matching *m = context;
    const int coarse = m->pyramid->levels - 1;
    const struct vsm_match_place centre = centre_of(m, index, coarse);
    struct windows windows;
    struct vsm_disparity_cell *c = &m->map->cells[index];

    (void)worker;
    c->people = mean_alpha(m, index);
    m->tried[index] = c->people >= VSM_MATCH_MIN_PEOPLE && m->parallax->cells[index].usable &&
                      (!m->search->only || m->search->only[index]) &&
                      cut(m, coarse, m->reach[coarse], VSM_PYRAMID_MASTER, centre, centre, &windows.large);
    if (m->tried[index] && !match(m, index, &windows, c))
        c->confidence = 0.0f;
}

/* Parallax of cells as it was before a pass, 0 confidence where there is none. */
struct found {
    float parallax[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
    float confidence[VSM_DISPARITY_CELLS * VSM_DISPARITY_CELLS];
};

struct comparing {
    struct matching matching;
    struct found found;
};

/* Different parallaxes of a cell's neighbours, two cells away at most, but for its own. */
static int list_others(const struct matching *m, const struct found *found, int index,
                       float others[VSM_MATCH_OTHERS])
{
    const struct vsm_parallax *p = m->parallax;
    const float apart = VSM_MATCH_OTHERS_APART * p->pixel;
    int count = 0;

    for (int k = 0; k < 25 && count < VSM_MATCH_OTHERS; k++) {
        const int x = index % p->columns + k % 5 - 2, y = index / p->columns + k / 5 - 2;
        const int at = y * p->columns + x;
        bool known = x < 0 || y < 0 || x >= p->columns || y >= p->rows || found->confidence[at] <= 0.0f;

        known = known || (found->confidence[index] > 0.0f &&
                          fabsf(found->parallax[at] - found->parallax[index]) < apart);
        for (int i = 0; i < count && !known; i++)
            known = fabsf(found->parallax[at] - others[i]) < apart;
        if (!known)
            others[count++] = found->parallax[at];
    }
    return count;
}

static struct vsm_match_best try_parallax(const struct matching *m, int index,
                                          const struct vsm_disparity_match_window *window, float parallax)
{
    const struct vsm_match_place at =
        vsm_pixel_match_place(vsm_parallax_shift(m->parallax, index, parallax, m->search->pitch), 1.0f);

    return search_around(window, &m->pyramid->planes[0][VSM_PYRAMID_SLAVE], centre_of(m, index, 0),
                         (struct vsm_match_best){at.x, at.y, 0.0f});
}

/* Where the neighbours are at different distances: which of them the cell's own pixels go with. */
static void compare_cell(void *context, int index, int worker)
{
    struct comparing *c = context;
    const struct matching *m = &c->matching;
    const struct vsm_match_place centre = centre_of(m, index, 0);
    struct vsm_disparity_match_window window;
    float others[VSM_MATCH_OTHERS];
    struct vsm_match_best best = {.score = VSM_MATCH_SMALL_SCORE - VSM_MATCH_SMALL_GAIN}, own = best;
    const int count = m->tried[index] ? list_others(m, &c->found, index, others) : 0;

    (void)worker;
    if (count == 0 || !cut(m, 0, m->small, VSM_PYRAMID_MASTER, centre, centre, &window))
        return;
    if (c->found.confidence[index] > 0.0f)
        best = own = try_parallax(m, index, &window, c->found.parallax[index]);
    for (int i = 0; i < count; i++) {
        const struct vsm_match_best other = try_parallax(m, index, &window, others[i]);

        if (other.score > best.score)
            best = other;
    }
    if (best.score > own.score + VSM_MATCH_OTHER_GAIN &&
        !settle_match(m, index, &window, best, &m->map->cells[index]))
        m->map->cells[index].confidence = 0.0f;
}

static void choose_windows(struct matching *m)
{
    for (int level = 0; level < m->pyramid->levels; level++)
        m->reach[level] = vsm_pixel_match_reach(m->grid.width >> level);
    m->small = vsm_pixel_match_small(m->grid.side);
}

void vsm_cell_match_run(const struct vsm_parallax *parallax, const struct vsm_stereo_pyramid *pyramid,
                        const struct vsm_disparity_search *search, struct vsm_parallel *pool,
                        struct vsm_disparity_map *map)
{
    struct comparing c = {.matching = {.parallax = parallax,
                                       .pyramid = pyramid,
                                       .search = search,
                                       .grid = vsm_parallax_grid(parallax),
                                       .map = map}};
    const int count = parallax->columns * parallax->rows;

    choose_windows(&c.matching);
    vsm_parallel_for(pool, count, match_cell, &c.matching);
    for (int turn = 0; turn < VSM_MATCH_TURNS; turn++) {
        for (int i = 0; i < count; i++) {
            c.found.parallax[i] = map->cells[i].parallax;
            c.found.confidence[i] = map->cells[i].confidence;
        }
        vsm_parallel_for(pool, count, compare_cell, &c);
    }
    for (int i = 0; i < count; i++) {
        map->tried += c.matching.tried[i];
        map->matched += c.matching.tried[i] && map->cells[i].confidence > 0.0f;
    }
}

bool vsm_cell_match_can(const struct vsm_parallax *parallax, const float *alpha)
{
    const struct vsm_match_grid grid = vsm_parallax_grid(parallax);

    for (int i = 0; i < parallax->columns * parallax->rows; i++) {
        if (parallax->cells[i].usable && vsm_pixel_match_seen(&grid, alpha, i))
            return true;
    }
    return false;
}
