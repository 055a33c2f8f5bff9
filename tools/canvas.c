#include "tools/canvas.h"

#include "base/mem.h"

#include <math.h>
#include <unistd.h>

#define MAX_THREADS 16

int vsm_canvas_create(int eye, struct vsm_canvas *canvas)
{
    size_t quarters = 2 * (size_t)eye;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *canvas = (struct vsm_canvas){.eye = eye};
    canvas->rgba = vsm_mem_alloc("canvas", 2 * (size_t)eye * (size_t)eye, 4 * sizeof(float));
    canvas->tables = vsm_mem_alloc("ray tables", 4 * quarters, sizeof(double));
    canvas->pool = vsm_parallel_create(cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores);
    if (!canvas->rgba || !canvas->tables || !canvas->pool) {
        vsm_canvas_destroy(canvas);
        return VSM_E_NOMEM;
    }
    for (size_t i = 0; i < quarters; i++) {
        double lon = (((double)i + 0.5) / (double)quarters - 0.5) * M_PI;

        canvas->tables[i] = sin(lon);
        canvas->tables[quarters + i] = cos(lon);
        canvas->tables[2 * quarters + i] = sin(-lon);
        canvas->tables[3 * quarters + i] = cos(lon);
    }
    return VSM_OK;
}

void vsm_canvas_destroy(struct vsm_canvas *canvas)
{
    vsm_parallel_destroy(canvas->pool);
    vsm_mem_free(canvas->rgba);
    vsm_mem_free(canvas->tables);
    *canvas = (struct vsm_canvas){0};
}

float *vsm_canvas_at(const struct vsm_canvas *canvas, int eye, int x, int y)
{
    return canvas->rgba + 4 * ((size_t)y * 2 * (size_t)canvas->eye + (size_t)(eye * canvas->eye + x));
}

void vsm_canvas_rays(const struct vsm_canvas *canvas, int x, int y, double rays[4][3])
{
    const double *sin_lon = canvas->tables, *cos_lon = sin_lon + 2 * canvas->eye;
    const double *sin_lat = cos_lon + 2 * canvas->eye, *cos_lat = sin_lat + 2 * canvas->eye;

    for (int i = 0; i < 4; i++) {
        int column = 2 * x + i % 2, row = 2 * y + i / 2;

        rays[i][0] = sin_lon[column] * cos_lat[row];
        rays[i][1] = sin_lat[row];
        rays[i][2] = cos_lon[column] * cos_lat[row];
    }
}

struct vsm_image *vsm_canvas_yuv_image(const struct vsm_canvas *canvas)
{
    return vsm_image_create(
        (struct vsm_format){.planes = VSM_PLANES_YUV, .depth = 8, .chroma_x = 1, .chroma_y = 1},
        2 * canvas->eye, canvas->eye,
        (struct vsm_colour){.primaries = 1, .transfer = 1, .matrix = 1, .chroma_location = 1});
}

struct vsm_image *vsm_canvas_grey_image(const struct vsm_canvas *canvas)
{
    return vsm_image_create(
        (struct vsm_format){.planes = VSM_PLANES_GRAY, .depth = 8}, 2 * canvas->eye, canvas->eye,
        (struct vsm_colour){.primaries = 1, .transfer = 1, .matrix = 1, .full_range = true});
}

struct conversion {
    const struct vsm_canvas *canvas;
    struct vsm_image *image;
};

static uint8_t code(double value, double low, double high)
{
    return (uint8_t)lrint(value < low ? low : value > high ? high : value);
}

static double luma(const float *c)
{
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}

/* Two rows of luma and one of chroma; chroma at the left takes 1 2 1 of the columns around it,
 * inside its eye. */
static void yuv_rows(void *context, int pair, int worker)
{
    const struct conversion *job = context;
    const struct vsm_canvas *canvas = job->canvas;
    int width = 2 * canvas->eye;

    (void)worker;
    for (int y = 2 * pair; y < 2 * pair + 2; y++) {
        const float *row = canvas->rgba + 4 * (size_t)y * (size_t)width;

        for (int x = 0; x < width; x++)
            job->image->data[0][y * job->image->stride[0] + x] =
                code(16.0 + 219.0 * luma(row + 4 * x), 16.0, 235.0);
        for (int x = 0; y % 2 == 0 && x < width; x += 2) {
            int left = x % canvas->eye ? x - 1 : x;
            double u = 0.0, v = 0.0;

            for (int j = 0; j < 2; j++) {
                const float *line = row + 4 * (size_t)j * (size_t)width;
                const float *taps[4] = {line + 4 * left, line + 4 * x, line + 4 * x, line + 4 * (x + 1)};

                for (int i = 0; i < 4; i++) {
                    u += (taps[i][2] - luma(taps[i])) / 1.8556 / 8.0;
                    v += (taps[i][0] - luma(taps[i])) / 1.5748 / 8.0;
                }
            }
            job->image->data[1][y / 2 * job->image->stride[1] + x / 2] = code(128.0 + 224.0 * u, 16.0, 240.0);
            job->image->data[2][y / 2 * job->image->stride[2] + x / 2] = code(128.0 + 224.0 * v, 16.0, 240.0);
        }
    }
}

void vsm_canvas_to_yuv(const struct vsm_canvas *canvas, struct vsm_image *image)
{
    struct conversion job = {canvas, image};

    vsm_parallel_for(canvas->pool, canvas->eye / 2, yuv_rows, &job);
}

void vsm_canvas_to_grey(const struct vsm_canvas *canvas, struct vsm_image *image)
{
    for (int y = 0; y < canvas->eye; y++) {
        for (int x = 0; x < 2 * canvas->eye; x++)
            image->data[0][y * image->stride[0] + x] =
                code(255.0 * vsm_canvas_at(canvas, 0, x, y)[3], 0.0, 255.0);
    }
}

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void vsm_canvas_noise(struct vsm_canvas *canvas, double sigma, uint64_t seed)
{
    size_t count = 2 * (size_t)canvas->eye * (size_t)canvas->eye;
    /* The sum of four uniform 16-bit numbers has a standard deviation of 65536 / sqrt(3). */
    double scale = sigma * sqrt(3.0) / 65536.0;

    for (size_t i = 0; i < count; i++) {
        for (int c = 0; c < 3; c++) {
            uint64_t bits = next_random(&seed);
            double sum = (double)(bits & 0xffff) + (double)(bits >> 16 & 0xffff) +
                         (double)(bits >> 32 & 0xffff) + (double)(bits >> 48) - 2.0 * 65535.0;

            canvas->rgba[4 * i + (size_t)c] += (float)(sum * scale);
        }
    }
}
