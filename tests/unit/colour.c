#include "image/colour.h"
#include "tap.h"

static struct vsm_colour_model model(int matrix, bool full, int depth)
{
    struct vsm_colour_model m = {0};

    CHECK_INT(vsm_colour_model((struct vsm_colour){2, 2, (uint8_t)matrix, full, 0}, 1080, depth, &m), VSM_OK);
    return m;
}

static void check_code(int matrix, bool full, int depth, const uint8_t rgb[3], int y, int u, int v)
{
    struct vsm_colour_model m = model(matrix, full, depth);
    int code[3];

    vsm_colour_encode(&m, rgb, code);
    CHECK_INT(code[0], y);
    CHECK_INT(code[1], u);
    CHECK_INT(code[2], v);
}

static const uint8_t red[3] = {255, 0, 0}, green[3] = {0, 255, 0}, blue[3] = {0, 0, 255},
                     white[3] = {255, 255, 255};
static const uint8_t black[3] = {0, 0, 0};

/* BT.601-7, BT.709-6, BT.2020-2: the conversion equations' constants as printed there. */
static void test_published_coefficients(void)
{
    struct vsm_colour_model m = model(6, false, 8);

    CHECK_NEAR(m.red_v, 1.402, 1e-9);
    CHECK_NEAR(m.blue_u, 1.772, 1e-9);
    CHECK_NEAR(m.green_u, -0.344136, 1e-6);
    CHECK_NEAR(m.green_v, -0.714136, 1e-6);
    m = model(1, false, 8);
    CHECK_NEAR(m.red_v, 1.5748, 1e-9);
    CHECK_NEAR(m.blue_u, 1.8556, 1e-9);
    CHECK_NEAR(m.green_u, -0.1873, 5e-5);
    CHECK_NEAR(m.green_v, -0.4681, 5e-5);
    m = model(9, false, 10);
    CHECK_NEAR(m.red_v, 1.4746, 1e-9);
    CHECK_NEAR(m.blue_u, 1.8814, 1e-9);
    CHECK_NEAR(m.green_u, -0.16455, 5e-6);
    CHECK_NEAR(m.green_v, -0.57135, 5e-6);
}

/* The 100 % colour bars' code values of BT.601 and BT.709, 8 bits. */
static void test_published_code_values(void)
{
    check_code(6, false, 8, red, 81, 90, 240);
    check_code(6, false, 8, green, 145, 54, 34);
    check_code(6, false, 8, blue, 41, 240, 110);
    check_code(1, false, 8, red, 63, 102, 240);
    check_code(1, false, 8, green, 173, 42, 26);
    check_code(1, false, 8, blue, 32, 240, 118);
    check_code(9, false, 10, white, 940, 512, 512);
    check_code(9, false, 10, black, 64, 512, 512);
    check_code(5, true, 8, red, 76, 85, 255); /* JFIF; Cr = 255.5, clipped */
    check_code(1, true, 10, white, 1023, 512, 512);
    check_code(1, false, 16, white, 235 * 256, 32768, 32768);
}

static void test_unspecified_follows_height(void)
{
    struct vsm_colour_model m;

    CHECK_INT(vsm_colour_model((struct vsm_colour){2, 2, 2, false, 0}, 719, 8, &m), VSM_OK);
    CHECK_NEAR(m.kr, 0.299, 1e-9);
    CHECK_INT(vsm_colour_model((struct vsm_colour){2, 2, 2, false, 0}, 720, 8, &m), VSM_OK);
    CHECK_NEAR(m.kr, 0.2126, 1e-9);
}

static void test_unsupported_matrices(void)
{
    struct vsm_colour_model m;
    const uint8_t refused[] = {0, 3, 8, 10, 14, 255};

    for (size_t i = 0; i < sizeof(refused); i++) {
        CHECK_INT(vsm_colour_model((struct vsm_colour){2, 2, refused[i], false, 0}, 1080, 8, &m),
                  VSM_E_INPUT);
        CHECK_HAS(vsm_error_message(), "matrix coefficients");
    }
    CHECK_INT(vsm_colour_model((struct vsm_colour){2, 2, 1, false, 0}, 1080, 7, &m), VSM_E_INTERNAL);
}

int main(void)
{
    RUN(test_published_coefficients);
    RUN(test_published_code_values);
    RUN(test_unspecified_follows_height);
    RUN(test_unsupported_matrices);
    return tap_done();
}
