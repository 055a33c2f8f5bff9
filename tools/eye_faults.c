#include "tools/eye_faults.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FINGER_RADIUS 0.28 /* of the eye's side */

static const char *const names[] = {"none", "black", "frozen", "blurred", "finger"};

const char *vsm_eye_faults_name(enum vsm_eye_faults_kind kind)
{
    return names[kind];
}

bool vsm_eye_faults_parse(const char *text, struct vsm_eye_faults_fault *fault)
{
    const bool left = strncmp(text, "left:", 5) == 0;
    char kind[16];

    fault->eye = left ? 0 : 1;
    text += left ? 5 : 0;
    if (sscanf(text, "%15[a-z]:%d:%d", kind, &fault->from, &fault->count) != 3)
        return false;
    for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
        if (strcmp(kind, names[i]) == 0) {
            fault->kind = (enum vsm_eye_faults_kind)i;
            return true;
        }
    }
    return false;
}

/* A soft-edged disc the colour of a fingertip over the middle of the lens. */
static void cover(const struct vsm_canvas *canvas, int eye)
{
    static const float skin[3] = {0.45f, 0.22f, 0.16f};

    for (int y = 0; y < canvas->eye; y++) {
        for (int x = 0; x < canvas->eye; x++) {
            float *rgba = vsm_canvas_at(canvas, eye, x, y);
            double r = hypot(x - 0.5 * canvas->eye, y - 0.55 * canvas->eye) / (FINGER_RADIUS * canvas->eye);
            float cover = (float)fmin(fmax((1.15 - r) / 0.3, 0.0), 1.0);

            for (int c = 0; c < 3; c++)
                rgba[c] += cover * (skin[c] - rgba[c]);
        }
    }
}

/* Averages the colours of stretches of an eye's row or column: one pass of a box filter. */
static void blur_line(const struct vsm_canvas *canvas, int eye, bool column, int line, int radius,
                      float *kept)
{
    for (int i = 0; i < canvas->eye; i++)
        memcpy(kept + 3 * i, vsm_canvas_at(canvas, eye, column ? line : i, column ? i : line),
               3 * sizeof(float));
    for (int i = 0; i < canvas->eye; i++) {
        float *rgba = vsm_canvas_at(canvas, eye, column ? line : i, column ? i : line), sum[3] = {0};
        int from = i > radius ? i - radius : 0, to = i + radius < canvas->eye ? i + radius : canvas->eye - 1;

        for (int k = from; k <= to; k++) {
            for (int c = 0; c < 3; c++)
                sum[c] += kept[3 * k + c];
        }
        for (int c = 0; c < 3; c++)
            rgba[c] = sum[c] / (float)(to - from + 1);
    }
}

static void keep_or_restore(const struct vsm_canvas *canvas, int eye, float *eye_kept, bool restore)
{
    for (int y = 0; y < canvas->eye; y++) {
        float *now = vsm_canvas_at(canvas, eye, 0, y), *kept = eye_kept + 4 * (size_t)y * (size_t)canvas->eye;

        for (int x = 0; x < canvas->eye; x++)
            memcpy(restore ? now + 4 * x : kept + 4 * x, restore ? kept + 4 * x : now + 4 * x,
                   3 * sizeof(float));
    }
}

static bool is_now(const struct vsm_eye_faults_fault *fault, int number)
{
    return number >= fault->from && number < fault->from + fault->count;
}

void vsm_eye_faults_apply(const struct vsm_eye_faults_fault *fault, const struct vsm_canvas *canvas,
                          int number, float *kept)
{
    if (!is_now(fault, number))
        return;
    if (fault->kind == VSM_EYE_FAULTS_BLACK) {
        for (int i = 0; i < canvas->eye * canvas->eye; i++)
            memset(vsm_canvas_at(canvas, fault->eye, i % canvas->eye, i / canvas->eye), 0, 3 * sizeof(float));
    } else if (fault->kind == VSM_EYE_FAULTS_BLURRED) {
        for (int i = 0; i < 2 * canvas->eye; i++)
            blur_line(canvas, fault->eye, i >= canvas->eye, i % canvas->eye, canvas->eye / 40, kept);
    } else if (fault->kind == VSM_EYE_FAULTS_FINGER) {
        cover(canvas, fault->eye);
    }
}

void vsm_eye_faults_hold(const struct vsm_eye_faults_fault *fault, const struct vsm_canvas *canvas,
                         int number, float *kept)
{
    if (fault->kind == VSM_EYE_FAULTS_FROZEN)
        keep_or_restore(canvas, fault->eye, kept, is_now(fault, number));
}
