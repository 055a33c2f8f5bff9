/* Writes a checkpoint of synthetic weights: sam2_weights RECIPE OUT. Exit 77 without reference data. */
#include "../golden/sam2_weights.h"
#include "shared_data.h"

int main(int argc, char **argv)
{
    char recipe[1024];

    if (argc != 3 || !shared_path(argv[1], recipe, sizeof(recipe)))
        return 77;
    return sam2_weights_write(recipe, false, argv[2]) ? 0 : 1;
}
