#include "config/prompts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define WORD_LIMIT 4096
#define MAX_FRAME  1000000000000 /* as input.start_frame */
#define MAX_PIXEL  1e6

/* One prompt's text, word by word. */
struct words {
    const char *at;
    size_t left;
    int number;
    char word[WORD_LIMIT];
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word into w->word; false at the end. */
static bool next(struct words *w)
{
    size_t length = 0;

    while (w->left && is_space(*w->at)) {
        w->at++;
        w->left--;
    }
    while (w->left && !is_space(*w->at) && length + 1 < WORD_LIMIT) {
        w->word[length++] = *w->at++;
        w->left--;
    }
    w->word[length] = '\0';
    return length > 0;
}

static int fail(const struct words *w, const char *what)
{
    return vsm_fail(VSM_E_USAGE, "prompt %d: \"%.60s\" %s", w->number, w->word, what);
}

static bool whole_number(const char *text, int64_t max, int64_t *value)
{
    if (!*text || text[strspn(text, "0123456789")])
        return false;
    *value = strtoll(text, NULL, 10);
    return *value <= max;
}

static bool pixel(const char *text, char stop, double *value, const char **end)
{
    char *after;

    *value = strtod(text, &after);
    *end = after;
    return after > text && *after == stop && strspn(text, "0123456789.") == (size_t)(after - text) &&
           *value <= MAX_PIXEL;
}

static int read_eye(struct words *w, struct vsm_prompt *p)
{
    if (!next(w))
        return fail(w, "is where the eye should be: left, right or both");
    p->eye[0] = strcmp(w->word, "left") == 0 || strcmp(w->word, "both") == 0;
    p->eye[1] = strcmp(w->word, "right") == 0 || strcmp(w->word, "both") == 0;
    return p->eye[0] || p->eye[1] ? VSM_OK : fail(w, "is no eye: left, right or both");
}

static int read_box(struct words *w, struct vsm_prompt *p)
{
    const char *end;

    for (int i = 0; i < 4; i++)
        if (!next(w) || !pixel(w->word, '\0', &p->box[i], &end))
            return fail(w, "is where a box needs a number of pixels: box LEFT TOP RIGHT BOTTOM");
    if (!(p->box[0] < p->box[2] && p->box[1] < p->box[3]))
        return vsm_fail(VSM_E_USAGE, "prompt %d: the box %g %g %g %g is empty; give LEFT TOP RIGHT BOTTOM",
                        p->number, p->box[0], p->box[1], p->box[2], p->box[3]);
    return VSM_OK;
}

static int read_points(struct words *w, struct vsm_prompt *p)
{
    bool any = false;

    while (next(w)) {
        struct vsm_prompt_point *point = &p->points[p->point_count];
        const char *end;

        if (p->point_count == VSM_PROMPTS_MAX_POINTS)
            return fail(w, "is one point too many; 16 are the most");
        if ((*w->word != '+' && *w->word != '-') || !pixel(w->word + 1, ',', &point->x, &end) ||
            !pixel(end + 1, '\0', &point->y, &end))
            return fail(w, "is no point: +X,Y on the person or -X,Y beside it, in pixels");
        point->on_person = *w->word == '+';
        any = any || point->on_person;
        p->point_count++;
    }
    return any ? VSM_OK
               : vsm_fail(VSM_E_USAGE, "prompt %d: no point is on the person; give at least one +X,Y",
                          p->number);
}

/* The rest of the text: paths may hold spaces. */
static int read_path(struct words *w, struct vsm_prompt *p)
{
    while (w->left && is_space(*w->at)) {
        w->at++;
        w->left--;
    }
    while (w->left && is_space(w->at[w->left - 1]))
        w->left--;
    if (!w->left)
        return vsm_fail(VSM_E_USAGE, "prompt %d: mask without a file", p->number);
    p->path = vsm_mem_format("path of a mask", "%.*s", (int)w->left, w->at);
    w->left = 0;
    return p->path ? VSM_OK : VSM_E_NOMEM;
}

static int read_what(struct words *w, struct vsm_prompt *p)
{
    static const struct {
        const char *name;
        enum vsm_prompt_kind kind;
        int (*read)(struct words *w, struct vsm_prompt *p);
    } kinds[] = {{"box", VSM_PROMPT_BOX, read_box},
                 {"points", VSM_PROMPT_POINTS, read_points},
                 {"mask", VSM_PROMPT_MASK, read_path},
                 {"remove", VSM_PROMPT_REMOVE, NULL}};

    next(w);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(w->word, kinds[i].name) == 0) {
            int status;

            p->kind = kinds[i].kind;
            status = kinds[i].read ? kinds[i].read(w, p) : VSM_OK;
            if (!status && next(w))
                status = fail(w, "is more than the prompt takes; separate prompts by ;");
            return status;
        }
    return fail(w, "is no prompt: box, points, mask or remove");
}

static int read_prompt(struct words *w, struct vsm_prompt *p)
{
    int64_t person;
    int status;

    p->number = w->number;
    if (!next(w) || !whole_number(w->word, MAX_FRAME, &p->frame))
        return fail(w, "is no number of a frame; a prompt is FRAME EYE PERSON WHAT");
    status = read_eye(w, p);
    if (status)
        return status;
    if (!next(w) || !whole_number(w->word, VSM_PROMPTS_MAX_PERSON, &person) || person < 1)
        return fail(w, "is no person: a number from 1 to 999");
    p->person = (int)person;
    return read_what(w, p);
}

static bool is_blank(const char *text, size_t length)
{
    while (length && is_space(*text)) {
        text++;
        length--;
    }
    return length == 0;
}

int vsm_prompts_parse(const char *text, struct vsm_prompts *prompts)
{
    int status = VSM_OK, most = 1;

    *prompts = (struct vsm_prompts){0};
    for (const char *c = text ? text : ""; *c; c++)
        most += *c == ';';
    if (is_blank(text ? text : "", text ? strlen(text) : 0))
        return VSM_OK;
    if (most > VSM_PROMPTS_MAX)
        return vsm_fail(VSM_E_USAGE, "%d prompts; %d are the most", most, VSM_PROMPTS_MAX);
    prompts->items = vsm_mem_alloc("prompts", (size_t)most, sizeof(*prompts->items));
    if (!prompts->items)
        return VSM_E_NOMEM;
    for (const char *at = text; status == VSM_OK && *at;) {
        struct words w = {.at = at, .left = strcspn(at, ";"), .number = prompts->count + 1};

        at += w.left + (at[w.left] == ';');
        if (is_blank(w.at, w.left))
            continue;
        status = read_prompt(&w, &prompts->items[prompts->count++]);
    }
    if (status != VSM_OK)
        vsm_prompts_finish(prompts);
    return status;
}

void vsm_prompts_finish(struct vsm_prompts *prompts)
{
    for (int i = 0; i < prompts->count; i++)
        vsm_mem_free(prompts->items[i].path);
    vsm_mem_free(prompts->items);
    *prompts = (struct vsm_prompts){0};
}

int vsm_prompts_check(const char *text)
{
    struct vsm_prompts prompts;
    int status = vsm_prompts_parse(text, &prompts);

    if (status == VSM_OK)
        vsm_prompts_finish(&prompts);
    return status;
}
