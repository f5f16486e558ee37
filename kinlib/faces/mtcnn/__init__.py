"""MTCNN (Zhang et al., 2016): its networks, and the cascade that finds faces and their five keypoints with them."""
