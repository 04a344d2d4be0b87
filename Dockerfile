# docker build -t irnet .    with CUDA: --build-arg TORCH_INDEX=https://pypi.org/simple
# docker run --rm --ipc=host --user "$(id -u):$(id -g)" -v "$PWD:/data" irnet --limit 8
# Paths are those below /data, and what a run writes goes there; for GPUs add --gpus all.
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /irnet
COPY requirements.txt .
# This image has no libGL, which opencv-python needs.
RUN sed -i 's/^opencv-python/&-headless/' requirements.txt \
 && pip install --no-cache-dir torch torchvision --index-url "$TORCH_INDEX" \
 && pip install --no-cache-dir -r requirements.txt
COPY . .
# ImageNet weights are downloaded below the home folder, once.
ENV HOME=/data
WORKDIR /data
ENTRYPOINT ["python", "/irnet/run_sample.py"]
