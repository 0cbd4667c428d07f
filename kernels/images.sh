#!/bin/sh
# images.sh BIN2C IMAGE.fatbin… - the images as C: kernel_images[] of kernels.h.
set -e
bin2c=$1
shift
echo '/* Made by kernels/images.sh. */'
echo '#include "kernels/kernels.h"'
for image in "$@"; do
    "$bin2c" --const --static --alignment 16 --name "image_$(basename "$image" .fatbin)" "$image"
done
echo 'const struct kernel_image kernel_images[] = {'
for image in "$@"; do
    name=$(basename "$image" .fatbin)
    echo "    {\"$name\", image_$name},"
done
echo '    {0},'
echo '};'
