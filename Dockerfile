# pgad's programs in a small image, for a machine without a GPU:
#   docker build -t pgad .
#   docker run --rm -v "$PWD:/work" pgad pgad_train --data images --preset small --out run1
FROM debian:bookworm-slim AS build
WORKDIR /pgad
COPY scripts/setup.sh scripts/setup.sh
RUN scripts/setup.sh
COPY . .
RUN cmake --preset release -DPGAD_TESTS=OFF -DPGAD_EMULATION=OFF -DPGAD_BENCH=OFF -DPGAD_CUDA=OFF \
 && cmake --build --preset release --target pgad_train pgad_infer pgad_data \
 && strip build/release/apps/pgad_train build/release/apps/pgad_infer build/release/apps/pgad_data

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libgd3 libpng16-16 libpugixml1v5 libjpeg62-turbo \
      libtiff6 libwebp7 libwebpdemux2 libexif12 zlib1g \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /pgad/build/release/apps/pgad_train /pgad/build/release/apps/pgad_infer /pgad/build/release/apps/pgad_data /usr/local/bin/
WORKDIR /work
CMD ["pgad_infer", "--help"]
