#include "sam2_set.h"

#include "shared_data.h"
#include "tap.h"

#include <lzma.h>
#include <stdlib.h>

#define MAX_FILE ((size_t)64 << 20)

struct maximum {
    char stage[40];
    double max, limit, square;
    size_t count;
};

static struct maximum maxima[64];
static size_t maximum_count;

bool sam2_set_open(struct sam2_set *set, const char *name)
{
    char relative[256], path[1280];

    snprintf(relative, sizeof(relative), "golden/sam2/sets/%s", name);
    *set = (struct sam2_set){.name = name};
    if (!shared_path(relative, set->folder, sizeof(set->folder)))
        return false;
    snprintf(path, sizeof(path), "%s/manifest.json", set->folder);
    set->manifest = json_load_file(path, 0, NULL);
    return set->manifest != NULL;
}

void sam2_set_close(struct sam2_set *set)
{
    json_decref(set->manifest);
    set->manifest = NULL;
}

int sam2_set_int(const struct sam2_set *set, const char *key)
{
    return (int)json_integer_value(json_object_get(set->manifest, key));
}

static void *decompress(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *packed = malloc(MAX_FILE), *data = NULL;
    size_t packed_size = f && packed ? fread(packed, 1, MAX_FILE, f) : 0, in = 0, out = 0;
    uint64_t limit = UINT64_MAX;

    if (f)
        fclose(f);
    data = malloc(MAX_FILE);
    if (!data || lzma_stream_buffer_decode(&limit, 0, NULL, packed, &in, packed_size, data, &out, MAX_FILE) !=
                     LZMA_OK) {
        printf("Bail out! %s cannot be read\n", path);
        exit(1);
    }
    free(packed);
    *size = out;
    return realloc(data, out);
}

static const json_t *find_entry(const struct sam2_set *set, const char *stage, int event, int frame)
{
    const json_t *files = json_object_get(set->manifest, "files"), *entry;
    size_t i;

    json_array_foreach(files, i, entry)
    {
        const json_t *e = json_object_get(entry, "event"), *f = json_object_get(entry, "frame");

        if (strcmp(json_string_value(json_object_get(entry, "stage")), stage) != 0)
            continue;
        if (event >= 0 ? e && json_integer_value(e) == event
                       : !e && (frame >= 0 ? f && json_integer_value(f) == frame : true))
            return entry;
    }
    return NULL;
}

bool sam2_set_load(const struct sam2_set *set, const char *stage, int event, int frame,
                   struct sam2_array *array)
{
    const json_t *dim;
    char path[1280];
    size_t size, header, i;
    uint8_t *file;

    *array = (struct sam2_array){.entry = find_entry(set, stage, event, frame)};
    if (!array->entry)
        return false;
    snprintf(path, sizeof(path), "%s/%s", set->folder,
             json_string_value(json_object_get(array->entry, "file")));
    file = decompress(path, &size);
    header = 10 + (size_t)(file[8] | file[9] << 8);
    array->file = file;
    array->data = file + header;
    array->count = 1;
    json_array_foreach(json_object_get(array->entry, "shape"), i, dim) array->count *=
        (size_t)json_integer_value(dim);
    return true;
}

void sam2_array_free(struct sam2_array *array)
{
    free(array->file);
    *array = (struct sam2_array){0};
}

static struct maximum *maximum_of(const char *stage)
{
    for (size_t i = 0; i < maximum_count; i++)
        if (strcmp(maxima[i].stage, stage) == 0)
            return &maxima[i];
    if (maximum_count == sizeof(maxima) / sizeof(maxima[0]))
        abort();
    snprintf(maxima[maximum_count].stage, sizeof(maxima[0].stage), "%s", stage);
    maxima[maximum_count].max = maxima[maximum_count].square = maxima[maximum_count].limit = 0;
    maxima[maximum_count].count = 0;
    return &maxima[maximum_count++];
}

static double record(struct maximum *m, float actual, float expected)
{
    double d = fabs((double)actual - (double)expected);

    if (!(d <= m->max))
        m->max = d;
    m->square += d * d;
    m->count++;
    return d;
}

/* Element of the whole tensor at [lead, a, b] of its manifest shape [..., A, B]. */
static size_t place(size_t lead, size_t a, size_t b, size_t leads, size_t rows, size_t columns, bool tokens)
{
    return tokens ? (a * columns + b) * leads + lead : (lead * rows + a) * columns + b;
}

void sam2_set_compare(const struct sam2_set *set, const struct sam2_array *array, const char *stage,
                      const float *data, bool tokens, double relative, double floor)
{
    const json_t *full = json_object_get(array->entry, "full_shape");
    const json_t *shape = full ? full : json_object_get(array->entry, "shape");
    const json_t *offsets = json_object_get(array->entry, "crop_offsets");
    double deviation = json_number_value(json_object_get(json_object_get(array->entry, "stats"), "std"));
    double limit = relative * deviation > floor ? relative * deviation : floor, worst = 0, d;
    size_t rank = json_array_size(shape), leads = 1, dims[3] = {1, 1, 1};
    struct maximum *m = maximum_of(stage);
    const float *expected = array->data;

    for (size_t i = 0; i < rank; i++) {
        size_t dim = (size_t)json_integer_value(json_array_get(shape, i));

        if (i + 2 < rank)
            leads *= dim;
        else
            dims[i + 2 - rank] = dim;
    }
    if (!full) {
        for (size_t i = 0; i < array->count; i++) {
            size_t b = i % dims[1], a = i / dims[1] % dims[0], lead = i / dims[1] / dims[0];

            d = record(m, data[place(lead, a, b, leads, dims[0], dims[1], tokens)], expected[i]);
            worst = d > worst || isnan(d) ? d : worst;
        }
    } else {
        const json_t *crop = json_object_get(array->entry, "shape");
        size_t height = (size_t)json_integer_value(json_array_get(crop, 1));
        size_t width = (size_t)json_integer_value(json_array_get(crop, 2));

        for (size_t j = 0; j < json_array_size(offsets); j++) {
            const json_t *o = json_array_get(offsets, j);
            size_t lead = (size_t)json_integer_value(json_array_get(o, 0));
            size_t top = (size_t)json_integer_value(json_array_get(o, 1));
            size_t left = (size_t)json_integer_value(json_array_get(o, 2));

            for (size_t i = 0; i < height * width; i++) {
                size_t at = place(lead, top + i / width, left + i % width, leads, dims[0], dims[1], tokens);

                d = record(m, data[at], expected[j * height * width + i]);
                worst = d > worst || isnan(d) ? d : worst;
            }
        }
    }
    m->limit = limit;
    if (!(worst <= limit))
        tap_fail_check(__FILE__, __LINE__, "%s %s (%s): differs by %.3g, allowed %.3g", set->name, stage,
                       json_string_value(json_object_get(array->entry, "file")), worst, limit);
}

void sam2_set_report(const char *title)
{
    for (size_t i = 0; i < maximum_count; i++)
        printf("# %-16s %-24s max %.2e  rms %.2e  (allowed %.1e)\n", title, maxima[i].stage, maxima[i].max,
               sqrt(maxima[i].square / (double)maxima[i].count), maxima[i].limit);
    maximum_count = 0;
}
