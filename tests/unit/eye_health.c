#include "stereo/eye_health.h"

#include "tap.h"

#include <string.h>

#define SIDE   128
#define PIXELS (SIDE * SIDE)

static float rgb[2][3 * PIXELS];
static const float *const eyes[2] = {rgb[0], rgb[1]};
static struct vsm_eye_health health;
static enum vsm_eye_health_fault faults[2];

static float hash(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t h = x * 2654435761u ^ y * 2246822519u ^ seed * 3266489917u;

    h = (h ^ h >> 15) * 2246822519u;
    return (float)(h >> 8) / (float)(1 << 24);
}

/* A textured room, somebody at `where`, and this much noise, which is another one in every frame. */
static void paint(int eye, int where, float noise, uint32_t frame)
{
    for (uint32_t i = 0; i < PIXELS; i++) {
        const uint32_t x = i % SIDE, y = i / SIDE;
        const bool person = (int)x >= where && (int)x < where + 20 && y > 40 && y < 110;
        const float light = person ? 0.3f + 0.5f * hash((x - (uint32_t)where) / 3, y / 3, 7)
                                   : 0.2f + 0.3f * hash(x / 3, y / 3, (uint32_t)eye);

        for (int c = 0; c < 3; c++)
            rgb[eye][(uint32_t)c * PIXELS + i] =
                light + noise * (hash(x, y, 2 * frame + (uint32_t)eye + 100) - 0.5f);
    }
}

static void next(void)
{
    struct vsm_eye_health_look looks[2];

    vsm_eye_health_look(eyes, SIDE, SIDE, looks, NULL);
    vsm_eye_health_next(&health, looks, SIDE, SIDE, faults);
}

static bool good(void)
{
    return faults[0] == VSM_EYE_HEALTH_GOOD && faults[1] == VSM_EYE_HEALTH_GOOD;
}

/* The right eye repeats from frame 4 to 9 in a scene where nothing moves; the left one's noise tells. */
static void test_noise_tells_a_frozen_eye(void)
{
    health = (struct vsm_eye_health){0};
    for (uint32_t n = 0; n < 14; n++) {
        paint(0, 50, 0.01f, n);
        if (n < 4 || n > 9)
            paint(1, 46, 0.01f, n);
        next();
        CHECK_INT(faults[0], VSM_EYE_HEALTH_GOOD);
        CHECK_INT(faults[1], n >= 5 && n <= 9 ? VSM_EYE_HEALTH_FROZEN : VSM_EYE_HEALTH_GOOD);
    }
}

static void test_movement_tells_a_frozen_eye(void)
{
    health = (struct vsm_eye_health){0};
    for (uint32_t n = 0; n < 14; n++) {
        paint(0, 30 + 2 * (int)n, 0.0f, n);
        if (n < 4 || n > 9)
            paint(1, 26 + 2 * (int)n, 0.0f, n);
        next();
        CHECK_INT(faults[1], n >= 5 && n <= 9 ? VSM_EYE_HEALTH_FROZEN : VSM_EYE_HEALTH_GOOD);
    }
}

/* What happens to both alike, or to a part of one, is no fault. */
static void test_still_scenes_are_no_fault(void)
{
    health = (struct vsm_eye_health){0};
    for (uint32_t n = 0; n < 40; n++) {
        const uint32_t shown = n < 20 ? n : n / 5; /* at last a coder that repeats pictures */

        for (int eye = 0; eye < 2; eye++)
            paint(eye, 50 - 4 * eye, n < 10 ? 0.01f : n < 30 ? 0.002f : 0.0f, shown);
        next();
        CHECK(good());
    }
    for (uint32_t n = 0; n < 10; n++) { /* a fly before one lens, everything else coded as unchanged */
        for (uint32_t i = 0; i < 8 * 8; i++)
            rgb[0][PIXELS + (i / 8 + 20) * SIDE + i % 8 + 20 + n] = 0.1f;
        next();
        CHECK(good());
    }
}

/* Through another view nothing can be compared for a frame; what was found stays found. */
static void test_turning_views(void)
{
    health = (struct vsm_eye_health){0};
    for (uint32_t n = 0; n < 12; n++) {
        paint(0, 50, 0.01f, n);
        if (n < 2 || n % 3 == 0)
            paint(1, 46, 0.01f, n / 3); /* frozen, seen from another side at every third frame */
        if (n % 3 == 0)
            vsm_eye_health_turn(&health);
        next();
        CHECK(n < 5 || faults[1] == VSM_EYE_HEALTH_FROZEN);
        CHECK_INT(faults[0], VSM_EYE_HEALTH_GOOD);
    }
    vsm_eye_health_turn(&health);
    paint(0, 20, 0.01f, 90);
    paint(1, 16, 0.01f, 90);
    next();
    paint(0, 20, 0.01f, 91);
    paint(1, 16, 0.01f, 91);
    next();
    CHECK(good());
}

static void test_black_and_blurred(void)
{
    health = (struct vsm_eye_health){0};
    for (uint32_t n = 0; n < 16; n++) {
        paint(0, 50, 0.004f, n);
        paint(1, 46, 0.004f, n);
        if (n >= 4 && n < 8)
            memset(rgb[0], 0, sizeof(rgb[0]));
        for (int i = 0; n >= 11 && n < 14 && i < PIXELS - 8; i++) {
            float sum = 0.0f;

            for (int k = 0; k < 8; k++)
                sum += rgb[1][PIXELS + i + k];
            rgb[1][PIXELS + i] = 0.125f * sum;
        }
        next();
        CHECK_INT(faults[0], n >= 4 && n < 8 ? VSM_EYE_HEALTH_BLACK : VSM_EYE_HEALTH_GOOD);
        CHECK_INT(faults[1], n >= 11 && n < 14 ? VSM_EYE_HEALTH_BLURRED : VSM_EYE_HEALTH_GOOD);
    }
}

/* A finger before the lens: flat, and still because nothing of the noise is left. It is not a picture that
 * repeats. */
static void test_covered_is_not_frozen(void)
{
    health = (struct vsm_eye_health){0};
    for (uint32_t n = 0; n < 12; n++) {
        paint(0, 50 + (int)n, 0.01f, n);
        paint(1, 46 + (int)n, 0.01f, n);
        for (int i = 0; n >= 4 && i < 3 * PIXELS; i++)
            rgb[1][i] = 0.3f;
        next();
        CHECK_INT(faults[1], n >= 4 ? VSM_EYE_HEALTH_BLURRED : VSM_EYE_HEALTH_GOOD);
    }
}

static void test_state(void)
{
    struct vsm_eye_health loaded = {0};
    struct vsm_bytes_out out = {0};
    struct vsm_bytes_in in;

    vsm_eye_health_save(&health, &out);
    in = vsm_bytes_in_of(out.data, out.size - 1);
    CHECK_INT(vsm_eye_health_load(&loaded, &in), VSM_E_INPUT);
    CHECK_HAS(vsm_error_message(), "cut off");
    CHECK_INT(loaded.frames, 0);
    in = vsm_bytes_in_of(out.data, out.size);
    CHECK_INT(vsm_eye_health_load(&loaded, &in), VSM_OK);
    CHECK(vsm_bytes_left(&in) == 0 && memcmp(&loaded, &health, sizeof(health)) == 0);
    vsm_bytes_out_finish(&out);
}

int main(void)
{
    RUN(test_noise_tells_a_frozen_eye);
    RUN(test_movement_tells_a_frozen_eye);
    RUN(test_still_scenes_are_no_fault);
    RUN(test_turning_views);
    RUN(test_black_and_blurred);
    RUN(test_covered_is_not_frozen);
    RUN(test_state);
    return tap_done();
}
