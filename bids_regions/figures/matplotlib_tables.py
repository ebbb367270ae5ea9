"""What pictures need of matplotlib, made by tools/make_picture_tables.py of 3.11.2: do not edit.

RdBu_r and YlOrRd are of ColorBrewer (Cynthia Brewer, Mark Harrower and The Pennsylvania State University,
Apache-2.0), as matplotlib interpolates them.
"""

__all__ = ["COLORS", "LETTERS", "UNITS", "WIDTHS"]

UNITS = 2048  # of the font's em
COLORS = {  # base64 of 256 times red, green, blue
    "RdBu_r": (
        "BTBhBjJjBzRmCDZpCThsCjpvCzxyDD51DUB4DkN7D0V+EUeBEkmEE0uHFE2KFU+NFlGQF1STGFaVGViYGlqbHFyeHV6hHmCkH2KnIGSq"
        "IWasI2itJGquJWyvJ22wKG+wKXGxK3OyLHWzLXa0L3i1MHq2MXy3M324NH+5NYG5N4O6OIS7OYa8O4i9PIq+PYu/P43AQI/BQZHCQ5PD"
        "RpTESZbFTJjGT5rHUpzIVZ7JWKDKW6LLXqTMYabNZajOaKrPa6zQbq7RcbDSdLLTd7TVerbWfbjXgLrYhLzZh77aisDbjcLckMTdk8Xe"
        "lcbfmMjfmsngncrhn8vhos3ipM7jp8/kqdDkq9LlrtPmsNTms9XntdfouNjoutnpvdrqv9zrwt3rxN7sx9/tyeHtzOLuzuPv0eXw0uXw"
        "0+bw1efw1ufx2Ojx2enx2+nx3Ory3uvy3+zy4ezz4u3z5O7z5e7z5+/06PD06vH06/H07fL17vP18PP18fT28/X29PX29vb29/b29/X0"
        "9/Ty9/Pw+PLu+PDs+O/q+O7o+e3n+ezl+evj+erh+enf+ujd+ufb+uXZ+uTX++PW++LU++HS++DQ/N/O/N7M/N3K/NzI/dvH/NjE/NbB"
        "+9S++9K8+9C5+s62+sy0+sqx+ceu+cWr+cOp+MGm+L+j+L2h97ue97mb97eZ9rSW9rKT9bCQ9a6O9ayL9KqI9KiG9KaD86OA8qB+8Z58"
        "75t67ph47ZZ27JN065By6o5w6Itu54hs5oVq5YNo5IBl4n1j4Xth4Hhf33Vd3nJb3XBZ221X2mpV2WhT2GVR12JP1mBN1F1L01pK0VdJ"
        "0FRHzlFGzU9FzExDyklCyUZBx0M/xkA+xT48wzs7wjg6wDU4vzI3vjA2vC00uyozuScyuCQxtiEvtR8utBwtshkrsBcqrRYqqhUppxQp"
        "pBMooRIonhEnmxAnmRAnlg8mkw4mkA0ljQwligskhwokhAkjgQgjfgciewYieAUhdQQhcgMgbwIgbAEfaQAfZwAf"
    ),
    "YlOrRd": (
        "///M//7K//3J//3H//zG//zF//vD//vC//rA//m///m+//i8//i7//e6//e4//a3//W1//W0//Sz//Sx//Ow//Ov//Kt//Ks//Gq//Cp"
        "//Co/++m/++l/+6j/+6i/+2h/uyf/uye/uud/uub/uqa/umZ/umX/uiW/ueV/ueT/uaS/uaR/uWQ/uSO/uSN/uOM/uKK/uKJ/uGI/uGG"
        "/uCF/t+E/t+C/t6B/t2A/t1+/tx9/tt8/tt6/tp5/tp4/tl2/th1/td0/tZz/tVx/tNw/tJv/tFt/tBs/s5r/s1p/sxo/stn/spl/shk"
        "/sdj/sZh/sVg/sNf/sJd/sFc/sBb/r9a/r1Y/rxX/rtW/rpU/rhT/rdS/rZQ/rVP/rNO/rJM/bFL/bBL/a9K/a5K/axJ/atJ/apI/alI"
        "/ahH/adH/aVG/aRG/aNF/aJF/aFE/aBE/Z5D/Z1D/ZxC/ZtC/ZpB/ZlB/ZhA/ZZA/ZU//ZQ//ZM+/ZI+/ZE9/Y89/Y48/Y08/Iw7/Io7"
        "/Ig6/IY6/IQ5/II4/IA4/H43/Hw3/Ho2/Hg2/HY1/HQ0/HI0/HAz/G4z/Gwy/Goy/Ggx/GYw/GQw/GIv/GAv/F4u/Fwu/Fot/Fgt/FYs"
        "/FQr/FIr/FAq/E4q+0wp+ksp+Uko+Ugo+EYn90Qn9kMn9kEm9T8m9D4l8zwl8jsk8jkk8Tck8DYj7zQj7jIi7jEi7S8h7C0h6ywg6yog"
        "6ikg6Scf6CUf5yQe5yIe5iAd5R8d5B0c4xwc4xoc4hkc4Bgc3xcc3hYd3RYd3BUd2hQe2RMe2BIe1xIf1hEf1BAf0w8g0g4g0Q0g0A0g"
        "zwwhzQshzAohywkiygkiyQgixwcjxgYjxQUjxAQkwwQkwQMkwAIlvwElvgAlvQAluwAmuQAmtwAmtQAmswAmsQAmrwAmrQAmrAAmqgAm"
        "qAAmpgAmpAAmogAmoAAmngAmnAAmmgAmmAAmlgAmlQAmkwAmkQAmjwAmjQAmiwAmiQAmhwAmhQAmgwAmgQAmgAAm"
    ),
}
LETTERS = tuple(map(chr, (*range(0x20, 0x7F), *range(0xA1, 0x180), 0x2026, 0x2212, 0x2264, 0x2265)))
WIDTHS = {  # whether bold: of each letter of DejaVu Sans, in units, as three hexadecimal digits
    False: (
        "28b3353ae6b451779a63d23331f31f4006b428b2e328b2b25175175175175175175175175175172b22b26b46b46b443f80057957"
        "d59662950e49a63360425c25c53f4756e75fc64c4d364c58f5144e35db5797e957b4e357b31f2b231f6b44004004e75144665144"
        "ec2d15145122392394a22397cb5124e551451434a42b3235124bc68b4bc4bc4335172b25176b43355175175175172b2400400800"
        "3c54e56b42e38004004006b433533540051751728b4003353c54e57c17c17c143f5795795795795795797cb59650e50e50e50e25"
        "c25c25c25c6335fc64c64c64c64c64c6b464c5db5db5db5db4e34d750a4e74e74e74e74e74e77db4664ec4ec4ec4ec2392392392"
        "394e55124e54e54e54e54e56b44e55125125125124bc5144bc5794e75794e75794e7596466596466596466596466629514633514"
        "50e4ec50e4ec50e4ec50e4ec50e4ec63351463351463351463351460451275458f25c23925c23925c23925c23925c2394b847225"
        "c23953f4a24a24752394752394753004752bc47f2465fc5125fc5125fc5126825fc51264c4e564c4e564c4e588f82f58f34a58f3"
        "4a58f34a51442b51442b51442b51442b4e33234e33234e33235db5125db5125db5125db5125db5125db5127e968b4e34bc4e357b"
        "43357b43357b4332d18006b46b46b4"
    ),
    True: (
        "2c93a642b6b45918046fa2733a83a842f6b430a35230a2ec5915915915915915915915915915913333336b46b46b44a480063161"
        "95df6a45775776916b22fa2fa6335197f66b26cd5dd6cd6295c357567f6318d362b5cb5cd3a82ec3a86b44004005665ba4be5ba5"
        "6d37b5ba5b22be2be5522be8565b257f5ba5ba3f24c33d35b25377645295374a85b22ec5b26b43a65915915175912ec400400800"
        "48352b6b43528004004006b43813814005e351730a40038148352b8488488484a46316316316316316318ae5df5775775775772f"
        "a2fa2fa2fa6b46b26cd6cd6cd6cd6cd6b46cd67f67f67f67f5cb5e75c15665665665665665668624be56d56d56d56d2be2be2be2"
        "be57f5b257f57f57f57f57f6b457f5b25b25b25b25375ba5376315666315666315665df4be5df4be5df4be5df4be6a45ba6b45ba"
        "57756d57756d57756d57756d57756d6915ba6915ba6915ba6915ba6b25b27ca6522fa2be2fa2be2fa2be2fa2be2fa2be5f457c2f"
        "a2be6335525525192be5192be5193d65194745232f86b25b26b25b26b25b27dd6b25b26cd57f6cd57f6cd57f9568c16293f26293"
        "f26293f25c34c35c34c35c34c35c34c35753d35753d35753d367f5b267f5b267f5b267f5b267f5b267f5b28d37645cb5375cb5cd"
        "4a85cd4a85cd4a837b8006b46b46b4"
    ),
}
